/**
 * Puts the changes of many callers into one durable transaction. Called by the SQLite store.
 *
 * A job runs synchronously inside of the transaction and is answered after the COMMIT. A job that throws a `MeshError` has
 * written nothing and fails alone. A job that throws anything else takes the transaction with it; the others are then run
 * again, each in a transaction of its own. When the COMMIT fails, all fail and nothing of them is kept.
 *
 * What was committed lies in a log, and is moved from there to its place at times. Where much was written, that is done here, in a
 * turn of the event loop of its own: as part of a COMMIT it would make that take several times as long.
 */

import { setImmediate } from 'node:timers';
import { getLogger } from '@logtape/logtape';
import { MeshError } from '../mesh/errors.ts';

const log = getLogger(['taskmesh', 'queue']);

/** The begin and end of a transaction. */
export interface Transactions {
  begin(): void;
  /** Throws when nothing was kept. */
  commit(): void;
  /** Moves what was committed from the log to its place. */
  checkpoint(): void;
  /** Undoes what was begun, if anything was. Does not throw. */
  rollback(): void;
  /** The error for callers whose transaction failed with `thrown`. */
  errorFor(thrown: unknown): MeshError;
}

interface Job {
  readonly run: () => unknown;
  readonly committed: ((value: never) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly bytes: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: MeshError) => void;
  outcome: { value: unknown } | { error: MeshError } | undefined;
}

interface JobOptions<T> {
  /** Runs after the COMMIT, in the order of the jobs, before any of them is answered. */
  committed?: (value: T) => void;
  /** Goes before all others; added while a transaction runs, it becomes part of that one. */
  first?: boolean;
  /** Aborted before the job's turn, the job does not run. */
  signal?: AbortSignal | undefined;
  /** How much the job writes, about. */
  bytes?: number;
}

interface Bounds {
  /** Jobs in one transaction. */
  readonly maxBatch: number;
  /** No more jobs are taken into a transaction that writes as much. */
  readonly maxBytes: number;
  /** When so many bytes were written, they are moved from the log to their place. */
  readonly checkpointBytes: number;
  /** Jobs that wait for a transaction. */
  readonly maxPending: number;
}

export class GroupCommit {
  readonly #transactions: Transactions;
  readonly #bounds: Bounds;
  #urgent: Job[] = [];
  #pending: Job[] = [];
  #scheduled = false;
  #closed = false;
  /** Bytes that were committed since the last checkpoint. */
  #logBytes = 0;

  constructor(transactions: Transactions, bounds: Bounds) {
    this.#transactions = transactions;
    this.#bounds = bounds;
  }

  /** Throws `busy`, `mesh_down` and what the transaction's failure is mapped to. */
  add<T>(run: () => T, options: JobOptions<T> = {}): Promise<T> {
    if (this.#closed)
      return Promise.reject(new MeshError('mesh_down', 'The queue is closed. Try again when the node is up.'));
    if (!options.first && this.#pending.length >= this.#bounds.maxPending) {
      const text = `${this.#pending.length} changes wait for the disk. Try again in a moment.`;
      return Promise.reject(new MeshError('busy', text));
    }
    return new Promise<T>((resolve, reject) => {
      const { committed, signal, bytes = 0 } = options;
      const job: Job = { run, committed, signal, bytes, resolve, reject, outcome: undefined };
      (options.first ? this.#urgent : this.#pending).push(job);
      this.#schedule();
    });
  }

  /** Runs what was added, then takes nothing more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#urgent.length + this.#pending.length > 0) this.#commitSome();
  }

  /** After the event loop has handed over all that arrived together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      if (this.#checkpointIsDue) this.#checkpoint();
      else this.#commitSome();
      // Scheduled again only now: jobs that were added meanwhile were part of this.
      this.#scheduled = false;
      if (this.#checkpointIsDue || this.#urgent.length + this.#pending.length > 0) this.#schedule();
    });
  }

  get #checkpointIsDue(): boolean {
    return !this.#closed && this.#logBytes >= this.#bounds.checkpointBytes;
  }

  #checkpoint(): void {
    this.#logBytes = 0;
    try {
      this.#transactions.checkpoint();
    } catch (thrown) {
      // Nothing is lost: all of it is in the log, and the next one moves it too.
      log.warn('What was written could not be moved to its place yet: {error}', { error: thrown });
    }
  }

  #commitSome(): void {
    if (this.#urgent.length + this.#pending.length === 0) return;
    let jobsLeft = this.#bounds.maxBatch;
    let bytesLeft = this.#bounds.maxBytes;
    this.#transact(() => {
      if (jobsLeft <= 0 || bytesLeft <= 0) return undefined;
      const job = this.#urgent.shift() ?? this.#pending.shift();
      jobsLeft--;
      bytesLeft -= job?.bytes ?? 0;
      return job;
    });
  }

  #transact(next: () => Job | undefined): void {
    const batch: Job[] = [];
    let running = false;
    try {
      this.#transactions.begin();
      for (let job = next(); job !== undefined; job = next()) {
        batch.push(job);
        running = true;
        run(job);
        running = false;
      }
      this.#transactions.commit();
      for (const { bytes, outcome } of batch) if (outcome !== undefined && 'value' in outcome) this.#logBytes += bytes;
    } catch (thrown) {
      this.#transactions.rollback();
      if (running && batch.length > 1) {
        for (const job of batch) this.#alone(job);
        return;
      }
      for (let job = batch.length === 0 ? next() : undefined; job !== undefined; job = next()) batch.push(job);
      const error = this.#transactions.errorFor(thrown);
      log.error('A commit of {jobs} changes failed: {error}', { jobs: batch.length, error: thrown });
      for (const job of batch) job.outcome = { error };
    }
    settle(batch);
  }

  #alone(job: Job): void {
    let taken = false;
    this.#transact(() => {
      if (taken) return undefined;
      taken = true;
      return job;
    });
  }
}

function run(job: Job): void {
  try {
    if (job.signal?.aborted)
      throw new MeshError('cancelled', 'The call was cancelled before its turn; nothing was changed.');
    job.outcome = { value: job.run() };
  } catch (thrown) {
    if (!(thrown instanceof MeshError)) throw thrown;
    job.outcome = { error: thrown };
  }
}

function settle(batch: readonly Job[]): void {
  for (const { outcome, committed } of batch) {
    if (outcome === undefined || !('value' in outcome)) continue;
    try {
      committed?.(outcome.value as never);
    } catch (thrown) {
      log.error('What follows a commit failed: {error}', { error: thrown });
    }
  }
  for (const { outcome, resolve, reject } of batch) {
    if (outcome === undefined) continue;
    if ('value' in outcome) resolve(outcome.value as never);
    else reject(outcome.error);
  }
}
