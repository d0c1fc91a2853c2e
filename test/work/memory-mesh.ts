/** A small queue in memory behind the real `checked` seam: what a worker needs, and levers to make it misbehave. */

import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { CallOptions, Mesh, UncheckedMesh } from '../../src/mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../../src/mesh/operations.ts';
import { type ClaimedTask, isFinal, type Task } from '../../src/mesh/task.ts';

interface Call {
  readonly name: OperationName;
  readonly input: Record<string, unknown>;
  readonly options: CallOptions;
}

type Waiter = (task: ClaimedTask) => void;

export class MemoryMesh {
  readonly mesh: Mesh;
  /** All calls so far, refused ones too. */
  readonly calls: Call[] = [];
  readonly tasks = new Map<string, ClaimedTask>();
  readonly #claims = new Set<Waiter>();
  readonly #watchers = new Set<(task: Task) => void>();
  readonly #faults: { name: OperationName; error: MeshError }[] = [];
  readonly #listeners = new Set<() => void>();

  constructor() {
    const inner: UncheckedMesh = {
      call: async (name, input, options = {}) => {
        this.calls.push({ name, input, options });
        for (const listener of [...this.#listeners]) listener();
        return (await this.#answer(name, input, options)) as OperationOutput<typeof name>;
      },
      subscribe: () => () => {},
    };
    this.mesh = checked(inner);
  }

  /** The next call of the operation is refused. */
  failNext(name: OperationName, error: MeshError): void {
    this.#faults.push({ name, error });
  }

  /** Puts a task into the queue and answers its id. */
  add(payload: unknown = {}, more: Partial<ClaimedTask> = {}): string {
    const task_id = (this.tasks.size + 1).toString(16).padStart(32, '0');
    this.tasks.set(task_id, { ...blankTask, task_id, payload, ...more });
    this.#match();
    return task_id;
  }

  task(id: string): ClaimedTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw new MeshError('task_not_found', `no task ${id}`);
    return task;
  }

  cancel(id: string, reason = 'not needed'): void {
    this.#change(id, { status: 'cancelled', error: reason });
  }

  /** As if the lease had run out and another worker had claimed the task. */
  handToAnother(id: string): void {
    this.#change(id, { fence: this.task(id).fence + 1 });
  }

  of(name: OperationName): Call[] {
    return this.calls.filter((call) => call.name === name);
  }

  /** Resolves when the operation has been called `count` times. */
  async called(name: OperationName, count = 1): Promise<Call> {
    while (this.of(name).length < count) {
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.#listeners.delete(listener);
          resolve();
        };
        this.#listeners.add(listener);
      });
    }
    return this.of(name)[count - 1] as Call;
  }

  async #answer(name: OperationName, input: Record<string, unknown>, options: CallOptions): Promise<unknown> {
    const fault = this.#faults.findIndex((planned) => planned.name === name);
    if (fault >= 0) throw this.#faults.splice(fault, 1)[0]?.error;
    const id = input.task_id as string;
    switch (name) {
      case 'claim':
        return { task: await this.#claim(options.signal) };
      case 'wait':
        return await this.#wait(id, options.signal);
      case 'heartbeat':
        this.#checkLease(id, input.fence);
        if (input.progress !== undefined) this.#change(id, { progress: input.progress });
        return { task_id: id, lease_until: 0, lease_s: this.task(id).lease_s };
      case 'complete':
        this.#checkLease(id, input.fence);
        this.#change(id, { status: 'completed', result: input.result });
        return { task_id: id, status: 'completed' };
      case 'fail': {
        this.#checkLease(id, input.fence);
        const { error, retry } = input as CheckedInput<'fail'>;
        this.#change(id, { status: retry ? 'queued' : 'failed', error, priority: 0 });
        return { task_id: id, status: this.task(id).status };
      }
      case 'release':
        this.#checkLease(id, input.fence);
        this.#change(id, { status: 'queued', priority: 0 });
        return { task_id: id, status: 'queued' };
      default:
        throw new MeshError('unknown_operation', name);
    }
  }

  #checkLease(id: string, fence: unknown): void {
    const task = this.task(id);
    if (task.status === 'cancelled') throw new MeshError('task_cancelled', 'the task was cancelled');
    if (task.fence !== fence || task.status !== 'running') throw new MeshError('stale_fence', 'the lease was lost');
  }

  #change(id: string, change: Partial<ClaimedTask>): void {
    const task = { ...this.task(id), ...change };
    this.tasks.set(id, task);
    for (const watcher of [...this.#watchers]) watcher(task);
  }

  #claim(signal?: AbortSignal): Promise<ClaimedTask> {
    return new Promise((resolve, reject) => {
      this.#claims.add(resolve);
      signal?.addEventListener('abort', () => {
        if (this.#claims.delete(resolve)) reject(new MeshError('cancelled', 'given up'));
      });
      this.#match();
    });
  }

  /** Priority 0 marks a task that was given back: nobody gets it again, so that tests can look at it. */
  #match(): void {
    for (const task of this.tasks.values()) {
      const [claim] = this.#claims;
      if (claim === undefined) return;
      if (task.status !== 'queued' || task.priority === 0) continue;
      this.#claims.delete(claim);
      this.#change(task.task_id, { status: 'running', fence: task.fence + 1, attempt: task.attempt + 1 });
      claim(this.task(task.task_id));
    }
  }

  #wait(id: string, signal?: AbortSignal): Promise<{ task: Task; done: boolean }> {
    return new Promise((resolve, reject) => {
      const watcher = (task: Task): void => {
        if (task.task_id !== id || !isFinal(task.status)) return;
        this.#watchers.delete(watcher);
        resolve({ task, done: true });
      };
      this.#watchers.add(watcher);
      signal?.addEventListener('abort', () => {
        this.#watchers.delete(watcher);
        reject(new MeshError('cancelled', 'given up'));
      });
      watcher(this.task(id));
    });
  }

  /** Waits that are open. */
  get watchers(): number {
    return this.#watchers.size;
  }
}

/** A queued task that says as little as one can. */
export const blankTask: ClaimedTask = {
  task_id: '',
  task_type: 'text.stats',
  model_name: '',
  status: 'queued',
  priority: 5,
  attempt: 0,
  max_attempts: 3,
  created_at: 0,
  updated_at: 0,
  next_attempt_at: null,
  started_at: null,
  finished_at: null,
  expires_at: null,
  lease_until: null,
  heartbeat_at: null,
  assigned_worker: null,
  assigned_peer: null,
  progress: null,
  error: null,
  idempotency_key: null,
  payload: {},
  fence: 0,
  lease_s: 30,
  attempt_timeout_s: 3600,
};
