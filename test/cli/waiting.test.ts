import * as assert from 'uvu/assert';
import { type ErrorCode, MeshError } from '../../src/mesh/errors.ts';
import { exampleTask, taskId } from '../server/fake-mesh.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { type Shell, shell } from './shell.ts';

const waiting = suite('waiting outlives trouble');

const completed = { task: { ...exampleTask, status: 'completed' as const, result: 1 }, done: true };

/** A shell whose clock goes on by itself, as far as the next timer, whenever nothing else can happen. */
function fastShell(): Shell & { clock: FakeClock; runOn<T>(running: Promise<T>): Promise<T> } {
  const made = shell();
  const clock = new FakeClock();
  made.context.clock = clock;
  return Object.assign(made, {
    clock,
    async runOn<T>(running: Promise<T>): Promise<T> {
      let over = false;
      const end = running.finally(() => {
        over = true;
      });
      while (!over) {
        await new Promise((resolve) => setImmediate(resolve));
        if (clock.pendingTimers > 0) clock.advance(1000);
      }
      return end;
    },
  });
}

for (const [name, argv] of [
  ['wait', ['wait', taskId]],
  ['submit --wait', ['submit', 'text.stats', '--wait']],
] as const) {
  waiting(`${name} goes on while the node, the owner or the network is away, and says so`, async () => {
    const { ask, fake, runOn } = fastShell();
    const troubles: ErrorCode[] = ['mesh_down', 'mesh_down', 'peer_unreachable', 'timeout', 'busy'];
    fake.on('wait', async () => {
      const code = troubles.shift();
      if (code !== undefined) throw new MeshError(code, `It is away: ${code}.`);
      return completed;
    });
    const said = await runOn(ask(...argv));
    assert.is(said.exitCode, 0);
    assert.equal(said.stderr.match(/\(\w+\)/g), ['(mesh_down)', '(peer_unreachable)', '(timeout)', '(busy)']);
    assert.match(said.stderr, 'waiting for it to come back: It is away: busy.');
  });
}

waiting('the pauses grow, and stay short enough for somebody who waits', async () => {
  const { ask, fake, clock, runOn } = fastShell();
  const askedMs: number[] = [];
  fake.on('wait', async () => {
    askedMs.push(clock.monotonicMs());
    if (askedMs.length < 12) throw new MeshError('mesh_down', 'away');
    return completed;
  });
  await runOn(ask('wait', taskId));
  const pauses = askedMs.slice(1).map((at, index) => at - (askedMs[index] ?? 0));
  assert.is(pauses[0], 1000);
  assert.ok(Math.max(...pauses) <= 6000, `${pauses}`);
  assert.ok(Math.min(...pauses.slice(5)) >= 3000, `${pauses}`);
});

waiting('--timeout-s ends it with the trouble that was met last', async () => {
  const { ask, fake, clock, runOn } = fastShell();
  fake.on('wait', async () => {
    throw new MeshError('mesh_down', 'No node answers.');
  });
  const said = await runOn(ask('wait', taskId, '--timeout-s', '20'));
  assert.is(said.exitCode, 1);
  assert.match(said.stderr, 'error: No node answers. (mesh_down');
  assert.ok(clock.monotonicMs() <= 20_000);
});

waiting('a long --timeout-s is waited in several calls, to its end', async () => {
  const { ask, fake, clock } = fastShell();
  const asked: number[] = [];
  fake.on('wait', async ({ timeout_s }) => {
    asked.push(timeout_s);
    clock.advance(timeout_s * 1000);
    return { task: exampleTask, done: false };
  });
  assert.is((await ask('wait', taskId, '--timeout-s', '150')).exitCode, 1);
  assert.equal(asked, [60, 60, 30]);
  assert.is((await ask('wait', taskId, '--timeout-s', '-1')).exitCode, 2);
});

waiting('a node that answers "not yet" at once is not asked without a pause', async () => {
  const { ask, fake, clock, runOn } = fastShell();
  let asked = 0;
  fake.on('wait', async () => (++asked < 5 ? { task: exampleTask, done: false } : completed));
  await runOn(ask('wait', taskId));
  assert.ok(clock.monotonicMs() >= 4000);
});

waiting('what another try cannot mend ends it at once', async () => {
  const { ask, fake } = fastShell();
  fake.on('wait', async () => {
    throw new MeshError('task_not_found', 'There is no such task.');
  });
  assert.is((await ask('wait', taskId)).exitCode, 1);
  assert.is(fake.calls.length, 1);
});

waiting('Ctrl-C ends it while the node is away', async () => {
  const { ask, fake, interrupt } = fastShell();
  const asked = Promise.withResolvers<void>();
  fake.on('wait', async () => {
    asked.resolve();
    throw new MeshError('mesh_down', 'away');
  });
  const running = ask('wait', taskId);
  await asked.promise;
  interrupt();
  assert.is((await running).exitCode, 130);
});

waiting('a submission is not repeated', async () => {
  const { ask, fake } = fastShell();
  fake.on('submit', async () => {
    throw new MeshError('mesh_down', 'No node answers.');
  });
  assert.is((await ask('submit', 't', '--wait')).exitCode, 1);
  assert.is(fake.calls.length, 1);
});

waiting.run();
