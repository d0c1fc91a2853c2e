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

/** Unless a test asks for fewer. */
const thousand = 1_000;

/** Tasks in one `submit_many`. */
const batch = 100;

/** Tasks that the worker does at once. */
const concurrency = 8;

/** How long a worker may be silent before its task is given to another. */
export const leaseSeconds = 5;

/**
 * The published bound (docs/networking.md), in seconds, from the healing of a link that was down for up to a minute to the first
 * task that crosses it again: the dial that was under way and fails, the keeper's longest pause by then, and the new dial.
 */
const reconnectSeconds = 20;

/** What a thousand tasks may take beside that on a busy machine, in seconds. */
const workSeconds = 40;

/** From the healing of the link until every task is finished. */
export const boundSeconds = reconnectSeconds + leaseSeconds + workSeconds;

export interface Thousand extends AsyncDisposable {
  readonly owner: Host;
  readonly helper: Host;
  readonly worker: HostWorker;
  /** Whether there is work left. */
  readonly underWay: boolean;
  /** Resolves when this share of the tasks is done. */
  begun(share: number): Promise<void>;
  /** Call it as soon as the link is whole: all tasks finish within `boundSeconds`. Says how long it took, and till work went on. */
  allFinish(): Promise<void>;
  /** Fails the test unless each task is completed, with the one result that its worker was told is accepted. */
  reckon(): Promise<void>;
}

export interface ThousandOptions {
  owner: RuntimeName;
  helper: RuntimeName;
  /** How many tasks; default: a thousand. */
  tasks?: number;
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
  const ids = await submitAll(client, options.tasks ?? thousand);
  const worker = opened.use(workerOn(helper, helping, { concurrency, leaseSeconds, workMs: 20 }));
  const all = opened.move();
  return {
    owner,
    helper,
    worker,
    get underWay() {
      return worker.attempts.length < ids.length;
    },
    begun: (share) => worker.until(() => worker.attempts.length >= ids.length * share),
    async allFinish() {
      const fromMs = performance.now();
      const inSeconds = (): string => `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
      const late = AbortSignal.timeout(boundSeconds * 1000);
      // More than can have been under way when the link went down.
      const enough = Math.min(ids.length, worker.attempts.length + 2 * concurrency);
      try {
        const standingStill = AbortSignal.timeout((reconnectSeconds + leaseSeconds) * 1000);
        await worker.until(() => worker.attempts.length >= enough, standingStill);
        const wentOn = inSeconds();
        await allFinish(client, ids, worker, late);
        console.log(`after the healing: work went on after ${wentOn}, all was finished after ${inSeconds()}`);
      } catch (error) {
        await using other = clientOn(helper, helping);
        const views = await Promise.all(
          [client, other].map((one) => one.call('list_peers', { connected_only: false })),
        );
        console.log(`attempts that ended: ${worker.attempts.length}; what both say of their peers:`);
        console.log(JSON.stringify(views, undefined, 1), owning.output(), helping.output());
        throw error;
      }
    },
    reckon: () => reckon(client, ids, worker),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function submitAll(client: HostClient, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += batch) {
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
  assert.is(ids.length, count);
  return ids;
}

/** A worker has ended an attempt at each; whoever was not told that its result is accepted may be followed by another. */
async function allFinish(
  client: HostClient,
  ids: readonly string[],
  { attempts, until }: HostWorker,
  late: AbortSignal,
): Promise<void> {
  const ended = new Set<string>();
  let read = 0;
  await until(() => {
    for (; read < attempts.length; read++) ended.add(attempts[read]?.task_id ?? '');
    return ended.size === ids.length;
  }, late);
  const told = new Set(attempts.filter(({ outcome }) => outcome === 'completed').map(({ task_id }) => task_id));
  for (const task_id of ids.filter((id) => !told.has(id))) {
    const { done } = await client.ask('p2p_taskqueue_wait_task', { task_id, timeout_s: leaseSeconds * 2 });
    assert.is(done, true, `${task_id} is not finished`);
  }
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
  assert.is(new Set([...stored.values()].map(({ payload }) => payload.n)).size, ids.length);
  for (const { task_id, status, payload, result } of stored.values()) {
    assert.equal([status, result.n], ['completed', payload.n], task_id);
    const runs = worker.attempts.filter((attempt) => attempt.task_id === task_id);
    const accepted = runs.filter(({ outcome }) => outcome === 'completed').map(({ run }) => run);
    assert.ok(accepted.length <= 1, `two results of ${task_id} were accepted`);
    for (const run of accepted) assert.is(run, result.run, `${task_id} holds another result than the accepted one`);
  }
}
