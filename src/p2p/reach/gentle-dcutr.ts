/**
 * libp2p's DCUtR (direct connection upgrade through relay), which closes the relayed connection the moment a direct one stands,
 * whatever is in flight on it. Here it gets connections whose `close` does nothing: `direct-upgrade.ts` gives the relayed one
 * up when its last answer has come. Used where the host is built.
 */

import { dcutr } from '@libp2p/dcutr';
import type { Connection, StreamHandler, Topology } from '@libp2p/interface';
import { withOwn } from './with-own.ts';

type Components = Parameters<ReturnType<typeof dcutr>>[0];
type Registrar = Components['registrar'];

export function gentleDcutr(): ReturnType<typeof dcutr> {
  const create = dcutr();
  return (components) =>
    create({
      registrar: withKeptConnections(components.registrar),
      peerStore: components.peerStore,
      connectionManager: components.connectionManager,
      transportManager: components.transportManager,
      addressManager: components.addressManager,
      logger: components.logger,
    });
}

function withKeptConnections(registrar: Registrar): Registrar {
  return withOwn(registrar, {
    register: (protocol: string, topology: Topology) => registrar.register(protocol, keptTopology(topology)),
    handle: (protocol: string, handler: StreamHandler, options: Parameters<Registrar['handle']>[2]) =>
      registrar.handle(protocol, (stream, connection) => handler(stream, kept(connection)), options),
  });
}

function keptTopology(topology: Topology): Topology {
  return { ...topology, onConnect: (peer, connection) => topology.onConnect?.(peer, kept(connection)) };
}

/** The same connection, which only its owner closes. */
const kept = (connection: Connection): Connection => withOwn(connection, { close: async () => {} });
