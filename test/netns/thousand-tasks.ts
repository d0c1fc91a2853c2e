/**
 * A thousand tasks owned by one host and worked on by another, while a test does something to the link between them; and the
 * reckoning afterwards: nothing lost, nothing accepted twice.
 */

import * as assert from 'uvu/assert';
import type { RuntimeName, Service } from '../support/service.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { addressOf, clientOn, type HostClient, type HostWorker, serviceOn, workerOn } from './hosts.ts';
import { type Host, openLab } from './lab.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

export const taskCount = 1_000;

/** Tasks in one `submit_many`. */
const batch = 100;

/** Tasks that the worker does at once. */
const concurrency = 8;

/** Waits that one client has open at once. */
const waitsAtOnce = 20;

/** How long a worker may be silent before its task is given to another. */
export const leaseSeconds = 5;

/**
 * The published bound (docs/networking.md), in seconds, from the healing of a link that was down for up to a minute to the first
 * task that crosses it again: the dial that was under way and fails, the keeper's longest pause by then, and the new dial.
 */
export const reconnectSeconds = 20;

/** What a thousand tasks may take beside that on a busy machine, in seconds. */
const workSeconds = 40;

/** From the healing of the link until every task is finished. */
export const boundSeconds = reconnectSeconds + leaseSeconds + workSeconds;

export interface Thousand extends AsyncDisposable {
  readonly owner: Host;
  readonly helper: Host;
  readonly worker: HostWorker;
  /** Call it as soon as the link is whole: all tasks finish within `boundSeconds`. Says how long it took, and till work went on. */
  allFinish(): Promise<void>;
  /** Fails the test unless each task is completed, with the one result that its worker was told is accepted. */
  reckon(): Promise<void>;
}

export interface ThousandOptions {
  owner: RuntimeName;
  helper: RuntimeName;
}

/** Resolves when all tasks are submitted and the worker has begun. */
export async function openThousand(options: ThousandOptions): Promise<Thousand> {
  await using opened = new AsyncDisposableStack();
  const folder: TempFolder = opened.use(await tempFolder());
  const lab = opened.use(await openLab({ owner: ['lan'], helper: ['lan'] }));
  const { owner, helper } = lab.hosts;
  await shareMeshKey(folder.path, [owner, helper]);
  const start = async (host: Host, runtime: RuntimeName, flags: string[] = []): Promise<Service> => {
    const all = ['--no-mdns', '--p2p-listen', `/ip4/${host.address()}/tcp/0`, ...flags];
    return opened.use(await serviceOn(host, { runtime, folder: folder.path, flags: all }));
  };
  const owning = await start(owner, options.owner);
  const helping = await start(helper, options.helper, ['--bootstrap', addressOf(owning, owner)]);
  const client = opened.use(clientOn(owner, owning));
  const ids = await submitAll(client);
  const worker = opened.use(workerOn(helper, helping, { concurrency, leaseSeconds, workMs: 20 }));
  const all = opened.move();
  return {
    owner,
    helper,
    worker,
    async allFinish() {
      const fromMs = performance.now();
      const inSeconds = (): string => `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
      // More than can have been under way when the link went down.
      const goesOn = worker.ended(Math.min(taskCount, worker.attempts.length + 2 * concurrency)).then(inSeconds);
      await allFinish(client, ids, boundSeconds);
      console.log(`after the healing: work went on after ${await goesOn}, all was finished after ${inSeconds()}`);
    },
    reckon: () => reckon(client, ids, worker),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function submitAll(client: HostClient): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < taskCount; from += batch) {
    const tasks = Array.from({ length: batch }, (_, index) => ({
      task_type: 'lab',
      payload: { n: from + index },
      // A link that goes up and down costs attempts, and is nobody's fault.
      max_attempts: 0,
      backoff_s: 0,
    }));
    const answer = await client.ask('p2p_taskqueue_submit_many', { tasks });
    ids.push(...(answer.tasks as { task_id: string }[]).map(({ task_id }) => task_id));
  }
  assert.is(ids.length, taskCount);
  return ids;
}

async function allFinish(client: HostClient, ids: readonly string[], withinSeconds: number): Promise<void> {
  const fromMs = performance.now();
  const secondsLeft = (): number => withinSeconds - (performance.now() - fromMs) / 1000;
  const waiting = [...ids];
  const waiter = async (): Promise<void> => {
    for (let task_id = waiting.pop(); task_id !== undefined; task_id = waiting.pop()) {
      const timeout_s = Math.max(0, secondsLeft());
      const { done, task } = await client.ask('p2p_taskqueue_wait_task', { task_id, timeout_s });
      if (done !== true) throw new Error(`not finished ${withinSeconds} s after the healing: ${JSON.stringify(task)}`);
    }
  };
  await Promise.all(Array.from({ length: waitsAtOnce }, waiter));
}

interface Stored {
  task_id: string;
  status: string;
  payload: { n: number };
  result: { n: number; run: string };
}

async function reckon(client: HostClient, ids: readonly string[], worker: HostWorker): Promise<void> {
  const stored = new Map<string, Stored>();
  let cursor: unknown = '';
  do {
    const page = await client.ask('p2p_taskqueue_list_tasks', { detail: true, limit: 500, cursor });
    for (const task of page.tasks as Stored[]) stored.set(task.task_id, task);
    cursor = page.cursor;
  } while (cursor !== null);
  assert.equal([...stored.keys()].sort(), [...ids].sort(), 'the tasks that were accepted are the tasks that are there');
  assert.is(new Set([...stored.values()].map(({ payload }) => payload.n)).size, taskCount);
  for (const { task_id, status, payload, result } of stored.values()) {
    assert.equal([status, result.n], ['completed', payload.n], task_id);
    const runs = worker.attempts.filter((attempt) => attempt.task_id === task_id);
    const accepted = runs.filter(({ outcome }) => outcome === 'completed').map(({ run }) => run);
    assert.ok(accepted.length <= 1, `two results of ${task_id} were accepted`);
    for (const run of accepted) assert.is(run, result.run, `${task_id} holds another result than the accepted one`);
  }
}
