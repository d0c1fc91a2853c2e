/** What the node's own callers are told of trust: who is served by what, what each peer uses, what was refused. No secrets. */

import type { OperationOutput } from '../../mesh/operations.ts';
import type { Host } from '../libp2p-host.ts';
import type { Trust } from './trust.ts';

type Detail = NonNullable<OperationOutput<'status'>['detail']>;

/** Peers, and refusals, that are told of one by one. */
const maxShown = 100;

export function trustReport(
  trust: Trust,
  host: Host,
  streams: Readonly<Record<string, number>>,
): Required<Pick<Detail, 'peers' | 'trust'>> {
  const connections = Map.groupBy(host.getConnections(), ({ remotePeer }) => remotePeer.toString());
  const peers = [...connections].slice(0, maxShown).map(([peerId, all]) => {
    const standing = trust.book.standing(peerId);
    return {
      peer_id: peerId,
      label: trust.book.entry(peerId)?.label ?? '',
      served_by: standing.served ? standing.by : standing.cause,
      connections: all.length,
      streams: streams[peerId] ?? 0,
      ...trust.permits.useOf(peerId),
    };
  });
  return {
    peers,
    trust: {
      ...trust.book.counts,
      on_porch: trust.onPorch,
      in_flight: trust.permits.inFlight,
      refusals: trust.refusals.byCause,
      latest_refusals: trust.refusals.latest(maxShown),
    },
  };
}
