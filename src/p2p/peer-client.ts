/**
 * Calls an operation on a peer, over its link. The answers' ids pass unchanged: they name their owner already.
 */

import type { Multiaddr } from '@multiformats/multiaddr';
import { type Answer, outputOf } from '../mesh/answer.ts';
import { MeshError } from '../mesh/errors.ts';
import type { TaskProgress } from '../mesh/mesh.ts';
import { type CheckedInput, type OperationName, type OperationOutput, operationEntry } from '../mesh/operations.ts';
import { progressOf } from '../mesh/progress.ts';
import { clientCapabilitiesKey, mcpRevision, protocolVersionKey, structuredOnlyKey } from './carriage.ts';
import type { PeerLinks } from './reach/peer-links.ts';

export interface Peer {
  readonly peerId: string;
  /** Where to dial it, besides what libp2p knows already. */
  readonly addresses: readonly Multiaddr[];
}

export interface PeerCallOptions<Name extends OperationName> {
  deadlineMs: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: TaskProgress) => void) | undefined;
  /** An output that came although the caller had given up. */
  onLate?: ((output: OperationOutput<Name>) => void) | undefined;
}

const envelope = { [protocolVersionKey]: mcpRevision, [clientCapabilitiesKey]: {}, [structuredOnlyKey]: true };

export class PeerClient {
  readonly #links: PeerLinks;

  constructor(links: PeerLinks) {
    this.#links = links;
  }

  /** Rejects with the peer's own error, or with `peer_unreachable`, `peer_not_found`, `timeout`, `cancelled`, `busy`, `peer_protocol_error`. */
  async call<Name extends OperationName>(
    peer: Peer,
    name: Name,
    input: CheckedInput<Name>,
    options: PeerCallOptions<Name>,
  ): Promise<OperationOutput<Name>> {
    const { onProgress, onLate } = options;
    const params = { name: operationEntry(name).tool, arguments: withoutTarget(input), _meta: envelope };
    const result = await this.#links.request(peer.peerId, peer.addresses, 'tools/call', params, {
      deadlineMs: options.deadlineMs,
      signal: options.signal,
      onProgress: onProgress && ((said) => hear(progressOf(said), onProgress)),
      onLate: onLate && ((late) => isSuccess(late) && onLate(outputOfResult<Name>(late))),
    });
    return outputOfResult<Name>(result);
  }
}

function hear(progress: TaskProgress | undefined, onProgress: (progress: TaskProgress) => void): void {
  if (progress !== undefined) onProgress(progress);
}

/** The peer serves the call itself, so it must not be told a target. */
function withoutTarget(input: Record<string, unknown>): Record<string, unknown> {
  const { remote_peer_id, remote_multiaddr, peer_id, ...rest } = input;
  return rest;
}

function isSuccess(result: unknown): boolean {
  return (result as { structuredContent?: { ok?: unknown } } | null)?.structuredContent?.ok === true;
}

function outputOfResult<Name extends OperationName>(result: unknown): OperationOutput<Name> {
  const answer = (result as { structuredContent?: unknown } | null)?.structuredContent;
  if (typeof answer !== 'object' || answer === null || typeof (answer as { ok?: unknown }).ok !== 'boolean') {
    throw new MeshError(
      'peer_protocol_error',
      'The peer answered the tool call without a structured answer. It may run another program or version.',
    );
  }
  return outputOf(answer as Answer) as OperationOutput<Name>;
}
