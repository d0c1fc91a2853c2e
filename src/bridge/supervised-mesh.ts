/**
 * A mesh whose node runs elsewhere and may end: keeps one far side alive, and carries calls to it.
 *
 * ```
 * stopped ─start─▶ starting ──node listens──▶ up ◀──answers──┐
 *                     │                       │ └─no answer─▶ unresponsive ─(too long, and ours)─▶ killed
 *                     └─error──▶ (start rejects)              │
 *                                          far side ends ─────┴─▶ restarting ──node listens──▶ up
 *                                                                  │  (backoff, doubling)
 *                                                                  └─too often──▶ failed (onDown)
 * any ─stop─▶ stopped
 * ```
 * What was in flight when a far side ends fails at once with `mesh_down`; an idempotent operation is carried once more when
 * the next far side is up and its deadline allows. What arrives meanwhile was sent nowhere and waits for a short while.
 */

import { getLogger } from '@logtape/logtape';
import { type CancelTimer, type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { BridgeHealth } from '../mesh/health.ts';
import { Listeners } from '../mesh/listeners.ts';
import type { CallOptions, HostedMesh, MeshListener } from '../mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import { addHealth } from './add-health.ts';
import type { FarSideLife, FarSideWay } from './far-side-life.ts';
import { mayRepeat } from './may-repeat.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { watchAnswers } from './watch-answers.ts';

const log = getLogger(['taskmesh', 'bridge']);

export interface SupervisorOptions {
  /** The far side ended too often, and is not started any more. */
  onDown(cause: Error): void;
  /** Told of each change of state. */
  onHealth?(health: BridgeHealth): void;
  clock?: Clock;
  random?: () => number;
  patience?: Partial<Patience>;
}

export class SupervisedMesh implements HostedMesh {
  readonly #way: FarSideWay;
  readonly #onDown: (cause: Error) => void;
  readonly #onHealth: (health: BridgeHealth) => void;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #patience: Patience;
  readonly #listeners = new Listeners((wanted) => this.#life?.near.watch(wanted));
  readonly #stopping = new AbortController();
  #state: BridgeHealth['state'] = 'stopped';
  #since: number;
  #restarts = 0;
  /** Restarts since the far side was last up for `calmMs`. */
  #inARow = 0;
  #lastError: string | null = null;
  #life: FarSideLife | undefined;
  /** Resolves when a far side is up again, or will never be; there while one is awaited. */
  #awaited: PromiseWithResolvers<void> | undefined;
  #waiting = 0;
  #timers = new Set<CancelTimer>();
  #stopped: Promise<void> | undefined;

  constructor(
    way: FarSideWay,
    { onDown, onHealth = () => {}, clock = systemClock, random = Math.random, patience = {} }: SupervisorOptions,
  ) {
    this.#way = way;
    this.#onDown = onDown;
    this.#onHealth = onHealth;
    this.#clock = clock;
    this.#random = random;
    this.#patience = { ...defaultPatience, ...patience };
    this.#since = clock.nowMs();
  }

  health(): BridgeHealth {
    return {
      layout: this.#way.layout,
      state: this.#state,
      restarts: this.#restarts,
      in_flight: this.#life?.near.inFlight ?? 0,
      since: this.#since / 1000,
      last_error: this.#lastError,
    };
  }

  async start(): Promise<void> {
    if (this.#state !== 'stopped' || this.#stopped) throw new MeshError('wrong_state', 'The mesh was started before.');
    this.#turn('starting');
    try {
      this.#live(await this.#open());
    } catch (error) {
      this.#turn('stopped');
      throw toMeshError(error);
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  call<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions = {},
  ): Promise<OperationOutput<Name>> {
    const life = this.#current;
    // Nearly every call of a busy server goes this way: no more promises and closures here than it takes.
    if (life === undefined) return this.#callNext(name, input, this.#leftOf(options), 'nothing was sent to it');
    const answer = this.#carry(life, name, input, options);
    if (!mayRepeat(name, input)) return answer;
    const left = this.#leftOf(options);
    return answer.catch((error) => {
      if (!(error instanceof MeshError) || error.code !== 'mesh_down') throw error;
      return this.#callNext(name, input, left, 'the call was sent before it ended, and may or may not have been done');
    });
  }

  subscribe(listener: MeshListener): () => void {
    return this.#listeners.add(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** `soFar`: what became of the call until now, for who hears that it goes no further. */
  async #callNext<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    left: () => CallOptions,
    soFar: string,
  ) {
    return this.#carry(await this.#nextLife(left(), soFar), name, input, left());
  }

  #carry<Name extends OperationName>(
    { near }: FarSideLife,
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions,
  ): Promise<OperationOutput<Name>> {
    const answer = near.call(name, input, options);
    return name === 'status' ? answer.then((output) => addHealth(name, input, output, () => this.health())) : answer;
  }

  /** A call's options with what is left of its deadline whenever it is asked. */
  #leftOf(options: CallOptions): () => CallOptions {
    const { deadlineMs } = options;
    if (deadlineMs === undefined) return () => options;
    const dueMs = this.#clock.monotonicMs() + deadlineMs;
    return () => ({ ...options, deadlineMs: Math.max(1, dueMs - this.#clock.monotonicMs()) });
  }

  /** The far side that calls go to. The channel to it ends a moment before its own end is known. */
  get #current(): FarSideLife | undefined {
    return this.#life?.near.closed ? undefined : this.#life;
  }

  /** The far side that comes next. Rejects with `mesh_down` when it takes too long, or when too many wait. */
  async #nextLife({ deadlineMs = Number.POSITIVE_INFINITY, signal }: CallOptions, soFar: string): Promise<FarSideLife> {
    const comes = this.#state === 'restarting' || this.#state === 'up' || this.#state === 'unresponsive';
    if (this.#current === undefined && comes && this.#waiting < this.#patience.maxWaiting) {
      this.#awaited ??= Promise.withResolvers<void>();
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancelTimer = this.#clock.setTimer(Math.min(deadlineMs, this.#patience.restartMs), resolve);
      const onAbort = (): void => resolve();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting++;
      await Promise.race([promise, this.#awaited.promise]);
      this.#waiting--;
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
    }
    if (signal?.aborted) throw new MeshError('cancelled', 'The call was cancelled by its caller.');
    if (this.#current !== undefined) return this.#current;
    const why = this.#lastError === null ? '' : ` Last error: ${this.#lastError}`;
    throw new MeshError('mesh_down', `The P2P side is ${this.#state}; ${soFar}. Try again in a moment.${why}`);
  }

  /** Opens a far side within the deadline for starting. */
  async #open(): Promise<FarSideLife> {
    const deadline = new AbortController();
    const cancelTimer = this.#clock.setTimer(this.#patience.startMs, () =>
      deadline.abort(new MeshError('timeout', `The P2P side did not start within ${this.#patience.startMs} ms.`)),
    );
    const signal = AbortSignal.any([this.#stopping.signal, deadline.signal]);
    try {
      return await this.#way.open({ onEvent: (event) => this.#listeners.emit(event) }, signal);
    } finally {
      cancelTimer();
    }
  }

  #live(life: FarSideLife): void {
    this.#life = life;
    if (this.#listeners.size > 0) life.near.watch(true);
    this.#turn('up');
    this.#awaited?.resolve();
    this.#awaited = undefined;
    const cancelCalm = this.#after(this.#patience.calmMs, () => {
      this.#inARow = 0;
    });
    const stopWatching = watchAnswers(life, {
      clock: this.#clock,
      patience: this.#patience,
      after: (delayMs, act) => this.#after(delayMs, act),
      heard: (silentForMs) => this.#heard(life, silentForMs),
    });
    void life.ended.then((cause) => {
      cancelCalm();
      stopWatching();
      if (this.#life === life) this.#lost(cause);
    });
  }

  #heard(life: FarSideLife, silentForMs: number | undefined): boolean {
    if (this.#life !== life) return false;
    const { silentMs, answerWithinMs } = this.#patience;
    if (silentForMs !== undefined) this.#lastError = `It did not answer within ${answerWithinMs} ms.`;
    this.#turn(silentForMs === undefined ? 'up' : 'unresponsive');
    if (!this.#way.owned || silentForMs === undefined || silentForMs < silentMs) return true;
    log.error('The P2P side has not answered for {silentMs} ms and is started anew', { silentMs });
    void life.kill();
    return false;
  }

  #lost(cause: Error): void {
    this.#life = undefined;
    this.#lastError = cause.message;
    if (this.#stopped) return;
    log.warning('The P2P side ended: {why}', { why: cause.message });
    this.#turn('restarting');
    this.#restart(cause);
  }

  #restart(cause: Error): void {
    const { firstBackoffMs, longestBackoffMs, maxRestarts } = this.#patience;
    if (this.#way.owned && this.#inARow >= maxRestarts) {
      this.#turn('failed');
      this.#awaited?.resolve();
      this.#onDown(cause);
      return;
    }
    const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** this.#inARow) * (0.5 + this.#random() / 2);
    this.#inARow++;
    // Kept alive, so that a program whose calls wait for the far side does not end in between.
    this.#after(backoffMs, () => void this.#tryAgain(), { keepAlive: true });
  }

  async #tryAgain(): Promise<void> {
    try {
      const life = await this.#open();
      this.#restarts++;
      if (this.#stopped) await life.stop();
      else {
        this.#live(life);
        log.info('The P2P side is up again');
      }
    } catch (error) {
      if (this.#stopped) return;
      this.#lastError = toMeshError(error).message;
      log.warning('The P2P side did not start: {why}', { why: this.#lastError });
      this.#restart(toMeshError(error));
    }
  }

  async #end(): Promise<void> {
    const life = this.#life;
    this.#turn('stopped');
    this.#stopping.abort(new MeshError('mesh_down', 'The mesh is being stopped.'));
    for (const cancelTimer of this.#timers) cancelTimer();
    this.#timers.clear();
    await life?.stop();
    this.#life = undefined;
    this.#awaited?.resolve();
  }

  #turn(state: BridgeHealth['state']): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#clock.nowMs();
    this.#onHealth(this.health());
  }

  /** A timer of this supervisor's own: all of them end with it. */
  #after(delayMs: number, act: () => void, options = { keepAlive: false }): CancelTimer {
    const fire = (): void => {
      this.#timers.delete(cancelTimer);
      act();
    };
    const cancelTimer = this.#clock.setTimer(delayMs, fire, options);
    this.#timers.add(cancelTimer);
    return () => {
      this.#timers.delete(cancelTimer);
      cancelTimer();
    };
  }
}
