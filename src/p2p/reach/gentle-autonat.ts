/**
 * libp2p's AutoNAT (does an address lead here from outside?), which takes a connection that is open already for the dial that a
 * peer asks for, and closes it afterwards, whatever is in flight on it. Here it dials anew, so that it closes what it has opened.
 * Used where the host is built.
 */

import { autoNAT } from '@libp2p/autonat';
import { withOwn } from './with-own.ts';

type Components = Parameters<ReturnType<typeof autoNAT>>[0];
type ConnectionManager = Components['connectionManager'];

/** @param timeout of one request and its dial, in milliseconds */
export function gentleAutonat(timeout: number): ReturnType<typeof autoNAT> {
  const create = autoNAT({ timeout });
  return (components) =>
    create({
      registrar: components.registrar,
      addressManager: components.addressManager,
      transportManager: components.transportManager,
      peerId: components.peerId,
      connectionManager: dialsAnew(components),
      logger: components.logger,
      randomWalk: components.randomWalk,
      events: components.events,
      peerStore: components.peerStore,
    });
}

function dialsAnew({ connectionManager, transportManager }: Components): ConnectionManager {
  const openConnection: ConnectionManager['openConnection'] = (target, options) =>
    // A list is of peers that it looks for by itself; those it keeps.
    Array.isArray(target) || !('getComponents' in target)
      ? connectionManager.openConnection(target, options)
      : transportManager.dial(target, options);
  return withOwn(connectionManager, { openConnection });
}
