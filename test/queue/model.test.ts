/**
 * Random sequences of verbs, with time passing and restarts in between, against a model that is simple enough to be
 * believed: a map of tasks. After each step the queue must show what the model says.
 */

import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ClaimedTask, TaskStatus } from '../../src/mesh/task.ts';
import { suite } from '../tooling/suite.ts';
import { claim, commits, completion, openTestQueue, refusal, type TestQueue, work } from './open-test-queue.ts';

interface ModelTask {
  status: TaskStatus;
  priority: number;
  type: string;
  attempt: number;
  maxAttempts: number;
  fence: number;
  holder: string | undefined;
  /** Monotonic milliseconds. */
  leaseEndMs: number;
  attemptEndMs: number;
  readyAtMs: number;
}

type Step =
  | { do: 'submit'; type: string; priority: number; maxAttempts: number; delayS: number }
  | { do: 'claim'; types: string[]; caller: string; leaseS: number }
  | { do: 'lease'; verb: 'heartbeat' | 'complete' | 'fail' | 'release'; which: number; old: boolean; caller: string }
  | { do: 'owner'; verb: 'cancel' | 'retry'; which: number }
  | { do: 'pass'; ms: number }
  | { do: 'restart' };

const backoffMs = 2_000;
const attemptTimeoutMs = 40_000;

class Model {
  readonly tasks = new Map<string, ModelTask>();
  /** Every lease that was ever answered, oldest first. */
  readonly leases: { id: string; fence: number; caller: string; leaseMs: number }[] = [];
  nowMs = 0;

  ready(types: string[]): string | undefined {
    const ready = [...this.tasks].filter(
      ([, task]) =>
        task.status === 'queued' && task.readyAtMs <= this.nowMs && (types.length === 0 || types.includes(task.type)),
    );
    return ready.sort(([a, x], [b, y]) => y.priority - x.priority || (a < b ? -1 : 1))[0]?.[0];
  }

  queue(task: ModelTask, delayMs: number): void {
    task.status = 'queued';
    task.readyAtMs = this.nowMs + delayMs;
  }

  endAttempt(task: ModelTask): void {
    if (task.maxAttempts > 0 && task.attempt >= task.maxAttempts) task.status = 'failed';
    else this.queue(task, Math.min(backoffMs * 2 ** (task.attempt - 1), 3_600_000));
  }

  /** Time passes in the steps in which things fall due. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const running = [...this.tasks.values()].filter((task) => task.status === 'running');
      const nextMs = Math.min(...running.map((task) => Math.min(task.leaseEndMs, task.attemptEndMs)));
      if (nextMs > untilMs) break;
      this.nowMs = nextMs;
      for (const task of running) if (Math.min(task.leaseEndMs, task.attemptEndMs) === nextMs) this.endAttempt(task);
    }
    this.nowMs = untilMs;
  }
}

async function take(test: TestQueue, model: Model, step: Step): Promise<void> {
  switch (step.do) {
    case 'submit': {
      const { task_id } = await test.queue.submit(
        work({
          task_type: step.type,
          priority: step.priority,
          max_attempts: step.maxAttempts,
          delay_s: step.delayS,
          backoff_s: backoffMs / 1000,
          attempt_timeout_s: attemptTimeoutMs / 1000,
        }),
        { caller: 'owner' },
      );
      assert.not(model.tasks.has(task_id));
      model.tasks.set(task_id, {
        status: 'queued',
        priority: step.priority,
        type: step.type,
        attempt: 0,
        maxAttempts: step.maxAttempts,
        fence: 0,
        holder: undefined,
        leaseEndMs: 0,
        attemptEndMs: 0,
        readyAtMs: model.nowMs + step.delayS * 1000,
      });
      return;
    }
    case 'claim': {
      const input = claim({ supported_task_types: step.types, lease_s: step.leaseS });
      const { task }: { task: ClaimedTask | null } = await test.queue.claim(input, { caller: step.caller });
      const expected = model.ready(step.types);
      assert.is(task?.task_id, expected, 'the claim hands out what goes first');
      if (task === null) return;
      const known = model.tasks.get(task.task_id);
      if (known === undefined) throw new Error('a task that nobody submitted');
      assert.ok(task.fence > known.fence, 'the fence grows');
      known.status = 'running';
      known.fence = task.fence;
      known.attempt++;
      known.holder = step.caller;
      known.leaseEndMs = model.nowMs + step.leaseS * 1000;
      known.attemptEndMs = model.nowMs + attemptTimeoutMs;
      model.leases.push({ id: task.task_id, fence: task.fence, caller: step.caller, leaseMs: step.leaseS * 1000 });
      return;
    }
    case 'lease': {
      const recent = step.old ? model.leases : model.leases.slice(-3);
      const lease = recent[step.which % Math.max(recent.length, 1)];
      if (lease === undefined) return;
      const task = model.tasks.get(lease.id);
      if (task === undefined) throw new Error('a lease on a task that nobody submitted');
      const input = { task_id: lease.id, fence: lease.fence };
      const context = { caller: step.caller };
      const before = (await test.queue.get({ task_id: lease.id }, context)).task.status;
      const call = {
        heartbeat: () => test.queue.heartbeat(input, context),
        complete: () => test.queue.complete(completion(input), context),
        fail: () => test.queue.fail({ ...input, error: 'no', retry: true }, context),
        release: () => test.queue.release({ ...input, reason: '', delay_s: 0 }, context),
      }[step.verb];
      const code = await refusal(call());
      const valid = task.status === 'running' && task.fence === lease.fence && task.holder === step.caller;
      if (!valid) {
        // Refused, or a repetition of what this lease has done already: either way nothing changes.
        assert.is((await test.queue.get({ task_id: lease.id }, context)).task.status, before);
        if (step.caller !== lease.caller || task.fence !== lease.fence) assert.is(code, 'stale_fence');
        return;
      }
      assert.is(code, 'ok');
      if (step.verb === 'heartbeat') task.leaseEndMs = model.nowMs + lease.leaseMs;
      if (step.verb === 'complete') task.status = 'completed';
      if (step.verb === 'fail') model.endAttempt(task);
      if (step.verb === 'release') {
        task.attempt--;
        model.queue(task, 0);
      }
      return;
    }
    case 'owner': {
      const entry = [...model.tasks][step.which % Math.max(model.tasks.size, 1)];
      if (entry === undefined) return;
      const [task_id, task] = entry;
      const context = { caller: 'owner' };
      if (step.verb === 'cancel') {
        const code = await refusal(test.queue.cancel({ task_id, reason: '' }, context));
        const may = ['queued', 'running', 'cancelled'].includes(task.status);
        assert.is(code, may ? 'ok' : 'wrong_state');
        if (may) task.status = 'cancelled';
      } else {
        const code = await refusal(test.queue.retry({ task_id, delay_s: 0 }, context));
        const may = task.status === 'failed' || task.status === 'cancelled';
        assert.is(code, may ? 'ok' : 'wrong_state');
        if (!may) return;
        task.attempt = 0;
        model.queue(task, 0);
      }
      return;
    }
    case 'pass':
      // Expiries are written between timers: time passes here as slowly as the model looks at it.
      for (let leftMs = step.ms; leftMs > 0; leftMs -= 1_000) {
        const ms = Math.min(leftMs, 1_000);
        test.clock.advance(ms);
        model.pass(ms);
        await commits();
      }
      return;
    case 'restart':
      await test.reopen();
      test.clock.advance(0);
      await commits();
      for (const task of model.tasks.values()) {
        if (task.status !== 'running') continue;
        const leaseMs =
          model.leases.findLast(
            (lease) => lease.fence === task.fence && lease.caller === task.holder && model.tasks.get(lease.id) === task,
          )?.leaseMs ?? 0;
        const leftMs = Math.max(task.attemptEndMs - model.nowMs, leaseMs);
        task.leaseEndMs = model.nowMs + leaseMs;
        task.attemptEndMs = model.nowMs + leftMs;
      }
  }
}

async function compare(test: TestQueue, model: Model): Promise<void> {
  const { tasks } = await test.queue.list(
    { task_types: [], limit: 1000, detail: false, cursor: '' },
    { caller: 'owner' },
  );
  assert.equal(
    tasks.map((task) => [task.task_id, task.status, task.attempt]),
    [...model.tasks].map(([id, task]) => [id, task.status, task.attempt]),
    'no task is lost, none is invented, each is where it should be',
  );
  const counted: Record<string, number> = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const task of tasks) counted[task.status] = (counted[task.status] ?? 0) + 1;
  const stats = await test.queue.stats();
  assert.equal(stats.counts, counted);
  assert.is(stats.leases, counted.running, 'one lease per running task, none for others');
}

const caller = fc.constantFrom('alice', 'bob');
const type = fc.constantFrom('a', 'b', 'c');
const which = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      type,
      priority: fc.integer({ min: 1, max: 10 }),
      maxAttempts: fc.integer({ min: 0, max: 3 }),
      delayS: fc.constantFrom(0, 0, 0, 5),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      types: fc.uniqueArray(type, { maxLength: 3 }),
      caller,
      leaseS: fc.constantFrom(3, 10, 30),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('lease' as const),
      verb: fc.constantFrom('heartbeat' as const, 'complete' as const, 'fail' as const, 'release' as const),
      which,
      old: fc.boolean(),
      caller,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('owner' as const),
      verb: fc.constantFrom('cancel' as const, 'retry' as const),
      which,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1_000, 3_000, 12_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

const model = suite('model');

model('whatever is done in whatever order, the queue is where a simple model says', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
    await using test = await openTestQueue();
    const known = new Model();
    for (const next of steps) {
      await take(test, known, next);
      await compare(test, known);
    }
  });
  const seed = Date.now() & 0x7fffffff;
  console.log(`seed ${seed}`);
  await fc.assert(property, { numRuns: 60, seed, endOnFailure: false });
});

model.run();
