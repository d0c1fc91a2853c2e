/**
 * Calls on Python nodes that the operator named, for the node's router: decides whether a call is meant for one, and translates it.
 * The token goes to those places only, never to an address from a task or a caller.
 */

import { getLogger } from '@logtape/logtape';
import { deadlineOf } from '../../mesh/deadline.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { CallOptions } from '../../mesh/mesh.ts';
import { type CheckedInput, type OperationName, type OperationOutput, operationEntry } from '../../mesh/operations.ts';
import { type ClaimedTask, splitTaskId } from '../../mesh/task.ts';
import type { ClaimSource } from '../claim-race.ts';
import type { ClaimTroubles } from '../remote-claim.ts';
import { withDeadline } from '../with-deadline.ts';
import { type AskContext, noCounterpart, type Translations } from './ask-context.ts';
import { askQueue } from './ask-queue.ts';
import { askWork } from './ask-work.ts';
import type { LeaseLedger } from './lease-ledger.ts';
import { PythonNodes } from './python-nodes.ts';
import { PythonPeer, type PythonPeerOptions } from './python-peer.ts';
import type { PythonPlace } from './python-place.ts';
import { pythonQueue } from './python-queue.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

/** Announce files are read again for the same unknown peer at most this often, in milliseconds: calls to peers of the mesh pass here. */
const lookPauseMs = 1_000;

/** Peers that were looked for and are remembered; the one of longest ago is forgotten first. */
const maxLookedFor = 256;

/** How long a request in the background may take, in milliseconds. */
const laterMs = 10_000;

const translations: Partial<Translations> = { ...askQueue, ...askWork };

export interface PythonClientOptions extends Omit<PythonPeerOptions, 'place'> {
  readonly places: readonly PythonPlace[];
  /** This node's own. */
  readonly peerId: string;
  readonly ledger: LeaseLedger;
}

export class PythonClient implements Disposable {
  readonly #options: PythonClientOptions;
  readonly #peers: readonly PythonPeer[];
  /** What `peers`, `discover` and `status` tell. */
  readonly nodes: PythonNodes;
  readonly #ending = new AbortController();
  readonly #lookedMs = new Map<string, number>();

  constructor(options: PythonClientOptions) {
    this.#options = options;
    this.#peers = options.places.map((place) => new PythonPeer({ ...options, place }));
    this.nodes = new PythonNodes(this.#peers, options.clock);
  }

  /** Connects to all places in the background, so that the nodes are known by their peer ids. */
  start(): void {
    for (const { place } of this.#peers) void this.#meet(place);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    for (const peer of this.#peers) peer.close();
  }

  /** The Python node that a call is meant for; undefined when it is meant for somebody else. */
  async meant(name: OperationName, input: Record<string, unknown>): Promise<PythonPeer | undefined> {
    if (!operationEntry(name).remote) return undefined;
    const { task_id, remote_multiaddr: address } = input;
    const owner = typeof task_id === 'string' ? splitTaskId(task_id).owner : undefined;
    const texts = [input.remote_peer_id, input.peer_id, owner];
    const peerIds = texts.filter((text): text is string => typeof text === 'string' && text !== '');
    if (typeof address === 'string' && address !== '') {
      const at = this.#peers.find(({ place }) => place.isAt(address));
      if (at !== undefined) return at;
      peerIds.push(...(/\/p2p\/([^/]+)$/.exec(address)?.slice(1) ?? []));
    }
    if (peerIds.length === 0) return undefined;
    const known = (): PythonPeer | undefined => peerIds.map((peerId) => this.#metAs(peerId)).find(Boolean);
    return known() ?? ((await this.#look(peerIds)) ? known() : undefined);
  }

  /** All Python nodes' queues, for a claim that names none. */
  queues(input: CheckedInput<'claim'>, troubles: ClaimTroubles): ClaimSource[] {
    return this.#peers.map((peer) => pythonQueue(this, peer, input, troubles));
  }

  /** The queue of the Python node whose task it is. */
  queueOf({ task_id }: ClaimedTask, input: CheckedInput<'claim'>, troubles: ClaimTroubles): ClaimSource | undefined {
    const peer = this.#metAs(splitTaskId(task_id).owner ?? '');
    return peer && pythonQueue(this, peer, input, troubles);
  }

  async giveBack(peer: PythonPeer, { task_id, fence }: ClaimedTask): Promise<void> {
    const input = { task_id, fence, reason: '', delay_s: 0, remote_peer_id: '', remote_multiaddr: '' };
    await this.call(peer, 'release', input, { deadlineMs: laterMs });
  }

  /** Rejects with what the Python node refuses, with what its answers are not, and `unknown_operation` for what it does not have. */
  async call<Name extends OperationName>(
    peer: PythonPeer,
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions,
  ): Promise<OperationOutput<Name>> {
    const translate = (translations as Partial<Record<OperationName, unknown>>)[name] as Translations[Name] | undefined;
    if (translate === undefined)
      throw noCounterpart(name, insteadOf[name] ?? 'It can only be asked of a taskmesh node.');
    const { clock } = this.#options;
    const { deadlineMs = deadlineOf(name, input, this.#options.limits) } = options;
    const ending = this.#ending.signal;
    const signal = options.signal === undefined ? ending : AbortSignal.any([options.signal, ending]);
    const late = (): MeshError =>
      new MeshError('timeout', `${name} did not end within ${deadlineMs} ms at the Python node.`);
    /** Claimed, and its caller had given up before the rest of the task was there. */
    const dropped = (output: OperationOutput<Name>): void => {
      const task = name === 'claim' ? (output as OperationOutput<'claim'>).task : null;
      if (task !== null) this.giveBack(peer, task).catch(notHeard('release'));
    };
    return withDeadline(
      { clock, deadlineMs, signal, dropped },
      (stop) => translate(input, this.#context(peer, clock.monotonicMs() + deadlineMs, stop)),
      late,
    ).catch((thrown) => {
      throw ending.aborted ? new MeshError('mesh_down', 'The P2P node has stopped.', { cause: thrown }) : thrown;
    });
  }

  #context(peer: PythonPeer, untilMs: number, signal: AbortSignal): AskContext {
    const { clock } = this.#options;
    const { place } = peer;
    return {
      ask: (op, fields, { leastMs = 0, mayRefuse = false, dropped } = {}) => {
        const deadlineMs = Math.max(leastMs, untilMs - clock.monotonicMs(), 1);
        return peer.ask(op, fields, { deadlineMs, signal, dropped }, { mayRefuse });
      },
      askLater: (op, fields) => {
        peer.ask(op, fields, { deadlineMs: laterMs }).catch(notHeard(op));
      },
      peerId: () => place.peerId,
      ownPeerId: this.#options.peerId,
      address: place.address,
      ledger: this.#options.ledger,
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      pause: (ms) =>
        new Promise((resolve, reject) => {
          signal.throwIfAborted();
          const cancelTimer = clock.setTimer(ms, () => {
            signal.removeEventListener('abort', onAbort);
            resolve();
          });
          const onAbort = (): void => {
            cancelTimer();
            reject(new MeshError('cancelled', 'The claim was given up by its caller.'));
          };
          signal.addEventListener('abort', onAbort, { once: true });
        }),
    };
  }

  #metAs(peerId: string): PythonPeer | undefined {
    return this.#peers.find(({ place }) => place.isMeant(peerId));
  }

  /** A node that has started anew writes its new identity into its announce file. */
  async #look(peerIds: readonly string[]): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    const fresh = peerIds.filter((peerId) => nowMs - (this.#lookedMs.get(peerId) ?? -lookPauseMs) >= lookPauseMs);
    if (fresh.length === 0) return false;
    for (const peerId of fresh) {
      this.#lookedMs.delete(peerId);
      this.#lookedMs.set(peerId, nowMs);
      const [oldest] = this.#lookedMs.keys();
      if (this.#lookedMs.size > maxLookedFor && oldest !== undefined) this.#lookedMs.delete(oldest);
    }
    await Promise.allSettled(this.#peers.map(({ place }) => place.look()));
    return true;
  }

  async #meet(place: PythonPlace): Promise<void> {
    const { clock, limits } = this.#options;
    try {
      await withDeadline(
        { clock, deadlineMs: limits.dialDeadlineMs, signal: this.#ending.signal },
        async () => void (await place.connect()),
        () => new MeshError('timeout', `It did not answer within ${limits.dialDeadlineMs} ms.`),
      );
      log.info('The Python node at {place} is {peerId}', { place: place.text, peerId: place.peerId });
    } catch (error) {
      if (!this.#ending.signal.aborted)
        log.warn('The Python node at {place} is out of reach for now: {error}', { place: place.text, error });
    }
  }
}

function notHeard(op: string): (error: unknown) => void {
  return (error) => log.warn('{op}, which a Python node should hear of afterwards, failed: {error}', { op, error });
}

const insteadOf: Partial<Record<OperationName, string>> = {
  retry: 'Submit the task again.',
};
