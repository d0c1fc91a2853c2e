/**
 * What one connected peer may do right now, for all ways in at once: its grant is looked up with every request, its rate is one,
 * and what waits for it ends when its grant does. Made by `permits.ts`.
 */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Grant } from '../../mesh/grant.ts';
import type { Limits } from '../../mesh/limits.ts';
import { type CheckedInput, type OperationName, type OperationOutput, operationEntry } from '../../mesh/operations.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { Askers } from './askers.ts';
import { type Allowed, allow, grantedTools, type MustBe } from './grant.ts';
import { ReadBudget, type ReadLimits } from './read-budget.ts';
import type { Refusals } from './refusals.ts';

/** How long reading rests after a request over the rate, in milliseconds. */
const refusedRestMs = 100;

export type PermitLimits = ReadLimits &
  Pick<
    Limits,
    | 'peerRequestsPerSecond'
    | 'peerRequestBurst'
    | 'peerAskingMs'
    | 'maxPeerInFlight'
    | 'maxServing'
    | 'maxWaiters'
    | 'maxPeerWaiters'
  >;

/** What peers may hold together of the places for what waits. */
const peersShareOfWaiters = 0.8;

export interface PermitsOptions {
  clock: Clock;
  limits: PermitLimits;
  refusals: Refusals;
  /** The peer's grant now. Throws `unauthorized` when it has none. */
  grantOf(peerId: string): Grant;
}

/** What is counted for all peers together. */
export interface AllPeers {
  /** Requests that are being worked on. */
  inFlight: number;
  /** Those of them that wait. */
  waiting: number;
  readonly askers: Askers;
}

/** How much a peer asks for at the moment. */
export interface PeerUse {
  in_flight: number;
  requests: number;
  frames: number;
  bytes: number;
}

/** A call that waits, and can be ended or begun anew by a change of the grant. */
interface Waiting {
  readonly name: OperationName;
  readonly input: CheckedInput<OperationName>;
  readonly look: (mustBe: MustBe) => Promise<unknown>;
  readonly controller: AbortController;
  /** What the grant makes of the input now. */
  allowed: Allowed<OperationName>;
  /** Ends the run that waits with what the grant made of the input before. */
  outdated: AbortController;
}

export interface Running<Name extends OperationName, Result> {
  signal: AbortSignal | undefined;
  call(signal: AbortSignal | undefined, allowed: Allowed<Name>): Promise<Result>;
  /** Rejects when the caller may not see what the call is about, now that it has to be somebody of the task's. */
  look(mustBe: MustBe): Promise<unknown>;
}

export class Permit {
  readonly peerId: string;
  /** What may be read of it. */
  readonly budget: ReadBudget;
  readonly #options: PermitsOptions;
  readonly #total: AllPeers;
  readonly #bucket: TokenBucket;
  readonly #patience: TokenBucket;
  readonly #waiting = new Set<Waiting>();
  #ownBucket: TokenBucket | undefined;
  #ownRate: number | undefined;
  #inFlight = 0;
  #requests = 0;
  #overRate: MeshError | undefined;

  constructor(peerId: string, options: PermitsOptions, total: AllPeers) {
    this.peerId = peerId;
    this.#options = options;
    this.#total = total;
    const { clock, limits } = options;
    this.budget = new ReadBudget(limits, clock, () => total.askers.othersThan(peerId));
    this.#bucket = new TokenBucket(limits.peerRequestsPerSecond, limits.peerRequestBurst, clock);
    this.#patience = new TokenBucket(limits.peerRequestsPerSecond, limits.peerRequestBurst, clock);
  }

  /** Whether a new permit would allow no more. */
  get isFresh(): boolean {
    return this.#bucket.isFull && this.#patience.isFull && this.#ownBucket?.isFull !== false && this.budget.isFull;
  }

  get use(): PeerUse {
    return { in_flight: this.#inFlight, requests: this.#requests, ...this.budget.read };
  }

  /**
   * Begins a request: counts it, and answers what ends it. Throws `unauthorized` when the peer is not served, `rate_limited` when
   * it sends too many (`shutOut` in the details when it goes on all the same), `busy` when too many are in flight.
   */
  begin(): () => void {
    this.#requests++;
    this.#total.askers.asked(this.peerId);
    const grant = this.grant();
    this.#takeToken(grant);
    const { maxPeerInFlight, maxServing } = this.#options.limits;
    if (this.#inFlight >= maxPeerInFlight || this.#total.inFlight >= maxServing) {
      throw new MeshError(
        'busy',
        'The node has as many calls of peers in flight as it takes. Try again a little later.',
      );
    }
    this.#inFlight++;
    this.#total.inFlight++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#inFlight--;
      this.#total.inFlight--;
    };
  }

  /** The peer's grant now. Throws `unauthorized`. */
  grant(): Grant {
    return this.#options.grantOf(this.peerId);
  }

  /** Whether the call is allowed, and in what form. Throws `unauthorized`. */
  allow<Name extends OperationName>(name: Name, input: CheckedInput<Name>): Allowed<Name> {
    return allow(this.grant(), name, input);
  }

  /**
   * Runs a call in the form that is allowed, or throws `unauthorized`, or `too_many_waiters` for one that would wait. One that waits follows the grant: it ends with
   * `unauthorized` when that is taken away meanwhile, and goes on with the new input when the grant is narrowed or widened.
   */
  async run<Name extends OperationName, Result>(
    name: Name,
    input: CheckedInput<Name>,
    { signal, call, look }: Running<Name, Result>,
  ): Promise<Result> {
    const allowed = this.allow(name, input);
    if ((operationEntry(name).waitMs?.(input) ?? 0) <= 0) return call(signal, allowed);
    this.#checkWaiters();
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const controller = new AbortController();
    const waiting: Waiting = { name, input, look, controller, allowed, outdated: new AbortController() };
    const ended = controller.signal;
    this.#waiting.add(waiting);
    this.#total.waiting++;
    try {
      for (;;) {
        const outdated = waiting.outdated.signal;
        const stop = AbortSignal.any([...(signal === undefined ? [] : [signal]), ended, outdated]);
        const now = forTheRest(waiting.allowed, clock.monotonicMs() - startedMs) as Allowed<Name>;
        try {
          return await call(stop, now);
        } catch (thrown) {
          if (ended.aborted) throw ended.reason;
          if (!outdated.aborted || signal?.aborted) throw thrown;
        }
      }
    } finally {
      this.#waiting.delete(waiting);
      this.#total.waiting--;
    }
  }

  recheck(): void {
    for (const waiting of [...this.#waiting]) {
      const { name, input, look, controller } = waiting;
      const abort = (error: unknown): void => controller.abort(error);
      try {
        const allowed = this.allow(name, input);
        if (allowed.mustBe !== undefined) look(allowed.mustBe).catch(abort);
        if (JSON.stringify(allowed.input) === JSON.stringify(waiting.allowed.input)) continue;
        const { outdated } = waiting;
        waiting.allowed = allowed;
        waiting.outdated = new AbortController();
        outdated.abort();
      } catch (error) {
        abort(error);
      }
    }
  }

  /** What the peer may be shown of an answer: not the tools that it may not call. */
  shown<Name extends OperationName>(name: Name, output: OperationOutput<Name>): OperationOutput<Name> {
    if (name !== 'status') return output;
    const status = output as OperationOutput<'status'>;
    const tools = grantedTools(this.grant(), status.capabilities.tools);
    return { ...status, capabilities: { ...status.capabilities, tools } } as OperationOutput<Name>;
  }

  /** Counts an answer that was a refusal. */
  refused(error: MeshError): void {
    if (error.code !== 'unauthorized') return;
    const { grant, cause } = error.details ?? {};
    this.#options.refusals.add(this.peerId, String(grant ?? cause ?? 'other'), error.message);
  }

  #checkWaiters(): void {
    const { maxWaiters, maxPeerWaiters } = this.#options.limits;
    if (this.#waiting.size < maxPeerWaiters && this.#total.waiting < peersShareOfWaiters * maxWaiters) return;
    throw new MeshError(
      'too_many_waiters',
      `${this.#waiting.size} claims and waits of this peer are waiting here, ${this.#total.waiting} of all peers: as many as may. Try again later.`,
    );
  }

  #takeToken(grant: Grant): void {
    const { clock, limits } = this.#options;
    const rate = grant.requests_per_second;
    if (rate !== this.#ownRate) {
      this.#ownRate = rate;
      this.#ownBucket = rate === undefined ? undefined : new TokenBucket(rate, Math.max(1, 2 * rate), clock);
    }
    if (this.#ownBucket?.take() !== false && this.#bucket.take()) return;
    const perSecond = Math.min(rate ?? limits.peerRequestsPerSecond, limits.peerRequestsPerSecond);
    const what = `More than ${perSecond} requests a second came from this peer.`;
    this.#options.refusals.add(this.peerId, 'rate', what);
    this.budget.rest(refusedRestMs);
    if (!this.#patience.take()) throw overRate(what, { requests_per_second: perSecond, shut_out: true });
    // The same one each time: an error is dear to make, and there may be thousands.
    if (this.#overRate?.details?.requests_per_second !== perSecond)
      this.#overRate = overRate(what, { requests_per_second: perSecond });
    throw this.#overRate;
  }
}

/** A claim that begins anew waits for what is left of its time; other inputs are never changed by a grant. */
function forTheRest(allowed: Allowed<OperationName>, elapsedMs: number): Allowed<OperationName> {
  if (!('wait_s' in allowed.input)) return allowed;
  return { ...allowed, input: { ...allowed.input, wait_s: Math.max(0, allowed.input.wait_s - elapsedMs / 1000) } };
}

function overRate(what: string, details: Record<string, unknown>): MeshError {
  return new MeshError('rate_limited', `${what} Send fewer, or try again a little later.`, { details });
}
