import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/mesh/clock.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { ClaimedTask } from '../../src/mesh/task.ts';
import { execRunner } from '../../src/work/exec.ts';
import { programOf, scriptCommand } from '../../src/work/program.ts';
import { TaskFailure } from '../../src/work/task-runner.ts';
import { work } from '../../src/work/work.ts';
import { currentRuntime } from '../tooling/runtimes.ts';
import { suite } from '../tooling/suite.ts';
import { blankTask, MemoryMesh } from './memory-mesh.ts';

interface Ran {
  result: unknown;
  notes: unknown[];
}

/** Runs a command once for a payload. */
async function ran(command: readonly string[], payload: unknown = null, more: Partial<ClaimedTask> = {}): Promise<Ran> {
  const notes: unknown[] = [];
  const run = execRunner({ command, env: process.env, clock: systemClock, maxResultBytes: 1000 });
  const context = { signal: new AbortController().signal, progress: (note: unknown) => void notes.push(note) };
  return { result: await run({ ...blankTask, ...more, payload }, context), notes };
}

const sh = (script: string): string[] => ['sh', '-c', script];

async function failureOf(running: Promise<unknown>): Promise<TaskFailure> {
  try {
    await running;
  } catch (thrown) {
    assert.instance(thrown, TaskFailure);
    return thrown as TaskFailure;
  }
  throw new Error('the program did not fail');
}

const programs = suite('a program does a task');

programs('the payload comes as JSON on its input, the result goes as JSON on its output', async () => {
  const { result } = await ran(['cat'], { text: 'grüße', list: [1, null] });
  assert.equal(result, { text: 'grüße', list: [1, null] });
});

programs('output that is not JSON is a text, and none is null', async () => {
  assert.is((await ran(sh('echo hello; echo world'))).result, 'hello\nworld');
  assert.is((await ran(sh('true'))).result, null);
});

programs('a program that does not read a large input may end', async () => {
  assert.is((await ran(sh('echo 1'), 'x'.repeat(500_000))).result, 1);
});

programs('it learns about its task from its environment', async () => {
  const script = 'echo "$TASKMESH_TASK_ID $TASKMESH_TASK_TYPE $TASKMESH_ATTEMPT $TASKMESH_MODEL_NAME"';
  const { result } = await ran(sh(script), null, { task_id: 'a1', attempt: 2, model_name: 'small' });
  assert.is(result, 'a1 text.stats 2 small');
});

programs('lines on standard error are progress, as JSON or as text', async () => {
  const { notes } = await ran(
    sh(`echo '{"progress": {"done": 1}}' >&2; echo loading >&2; printf 'last' >&2; echo >&2`),
  );
  assert.equal(notes, [{ done: 1 }, 'loading', 'last']);
});

programs('a failure is the exit code and the last lines of standard error', async () => {
  const failure = await failureOf(ran(sh('for i in $(seq 1 30); do echo "line $i" >&2; done; exit 3')));
  assert.match(failure.message, /exit code 3: line 21\n/);
  assert.match(failure.message, /line 30$/);
  assert.ok(failure.retry);
});

programs('exit code 75 asks for another attempt, and says so', async () => {
  const failure = await failureOf(ran(sh('echo "gpu is busy" >&2; exit 75')));
  assert.match(failure.message, 'tried again later (exit code 75): gpu is busy');
  assert.ok(failure.retry);
});

programs('a program that is killed has failed by that signal', async () => {
  assert.match((await failureOf(ran(sh('kill -9 $$')))).message, 'ended by SIGKILL');
});

programs('a program that cannot be started is a failure, not a crash', async () => {
  assert.match((await failureOf(ran(['no-such-program-here']))).message, 'could not be started');
});

programs('output beyond the bound ends the program and makes a dead letter', async () => {
  const failure = await failureOf(ran(sh('while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done')));
  assert.match(failure.message, 'more than 1000 bytes');
  assert.not.ok(failure.retry);
});

programs('an abort ends the program and what it started', async () => {
  const controller = new AbortController();
  const { promise: started, resolve } = Promise.withResolvers<number>();
  const command = sh(`sleep 600 & echo "{\\"progress\\": $!}" >&2; wait`);
  const run = execRunner({ command, env: process.env, clock: systemClock });
  const running = run(blankTask, { signal: controller.signal, progress: (note) => resolve(Number(note)) });
  const grandchild = await started;
  controller.abort(new MeshError('task_cancelled', 'not needed'));
  try {
    await running;
    throw new Error('the program went on');
  } catch (thrown) {
    assert.is((thrown as MeshError).code, 'task_cancelled');
  }
  assert.not.ok(isAlive(grandchild));
});

programs('a program that ignores SIGTERM gets SIGKILL', async () => {
  const fired: number[] = [];
  const clock = {
    ...systemClock,
    setTimer: (delayMs: number, fire: () => void) => {
      fired.push(delayMs);
      return systemClock.setTimer(0, fire);
    },
  };
  const controller = new AbortController();
  const run = execRunner({
    command: sh(`trap '' TERM; echo up >&2; while :; do sleep 1; done`),
    env: process.env,
    clock,
  });
  const running = run(blankTask, { signal: controller.signal, progress: () => controller.abort(new Error('stop')) });
  try {
    await running;
    throw new Error('the program went on');
  } catch (thrown) {
    assert.is((thrown as Error).message, 'stop');
  }
  assert.is(fired[0], 3_000);
});

programs('the example counts a text, as a script of the runtime we run on', async () => {
  const example = fileURLToPath(new URL('../../examples/text-stats.ts', import.meta.url));
  const command = [...scriptCommand(currentRuntime, process.execPath), example];
  const { result, notes } = await ran(command, { text: 'To be,\nor not to bé' });
  assert.equal(result, { characters: 19, words: 6, lines: 2, longest: ['not', 'To', 'be', 'or', 'to'] });
  assert.equal(notes, [{ lines: 0, of: 2 }]);
  assert.match((await failureOf(ran(command, { no: 'text' }))).message, 'exit code 65: The payload has no text.');
});

programs('as a worker’s runner it is stopped by a cancel', async () => {
  const queue = new MemoryMesh();
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const worker = work(queue.mesh, {
    types: ['text.stats'],
    run: execRunner({ command: sh('echo up >&2; sleep 600'), env: process.env, clock: systemClock }),
    onEvent: (event) => event.type === 'ended' && resolve(event.outcome),
  });
  const id = queue.add();
  await queue.called('heartbeat');
  queue.cancel(id);
  assert.is(await ended, 'cancelled');
  await worker.stop();
});

const commands = suite('the command of --exec');

const context = {
  folder: '/here',
  scriptCommand: ['runtime', 'run'],
  exists: (path: string) => path.startsWith('/here/'),
};

commands('words are split with quotes and backslashes, without a shell', () => {
  assert.equal(programOf(`python3 -c 'print("a b")' "c \\"d\\"" e\\ f '' $HOME`, context), [
    'python3',
    '-c',
    'print("a b")',
    'c "d"',
    'e f',
    '',
    '$HOME',
  ]);
});

commands('a script is run by the runtime, a path is made absolute, a bare name is left to the system', () => {
  assert.equal(programOf('./w.ts --fast', context), ['runtime', 'run', '/here/w.ts', '--fast']);
  assert.equal(programOf('w.mjs', context), ['runtime', 'run', '/here/w.mjs']);
  assert.equal(programOf('./bin/w', context), ['/here/bin/w']);
  assert.equal(programOf('w -x', context), ['w', '-x']);
});

commands('what cannot be a program is refused before any task is claimed', () => {
  assert.throws(() => programOf('  ', context), /--exec is empty/);
  assert.throws(() => programOf('/no/w.ts', context), /There is no program at \/no\/w.ts/);
  assert.throws(() => programOf(`w 'a`, context), /without its end/);
});

commands('Deno gives a script its task and what it may read, nothing else', () => {
  const command = scriptCommand('deno', '/bin/deno');
  assert.equal(
    command.filter((word) => word.startsWith('--allow')).map((word) => word.split('=')[0]),
    ['--allow-read', '--allow-env'],
  );
  assert.ok(command.includes('--no-prompt'));
});

/** Whether the process can still run; one that only waits to be collected by its parent cannot. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

programs.run();
commands.run();
