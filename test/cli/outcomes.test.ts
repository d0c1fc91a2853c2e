import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { exampleTask, peerId, taskId } from '../server/fake-mesh.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { shell } from './shell.ts';

const outcomes = suite('exit codes and answers');

outcomes('a failure is told with code and message, exit code 1, and as the answer with --json', async () => {
  const { ask, fake } = shell();
  fake.on('get', () => Promise.reject(new MeshError('peer_unreachable', 'The owner is gone. Try later.')));
  const people = await ask('get', taskId);
  assert.is(people.exitCode, 1);
  assert.is(people.stdout, '');
  assert.match(people.stderr, 'error: The owner is gone. Try later. (peer_unreachable; the same may work later)');
  const machine = await ask('get', taskId, '--json');
  assert.is(machine.exitCode, 1);
  assert.equal(JSON.parse(machine.stdout), {
    ok: false,
    error: 'peer_unreachable',
    message: 'The owner is gone. Try later.',
    retryable: true,
  });
});

outcomes('waiting is a success only when the task is completed', async () => {
  const { ask, fake } = shell();
  fake.on('wait', async () => ({ task: { ...exampleTask, status: 'failed', error: 'no text' }, done: true }));
  const failed = await ask('wait', taskId);
  assert.is(failed.exitCode, 1);
  assert.match(failed.stdout, /error +no text/);
  fake.on('wait', async () => ({ task: exampleTask, done: false }));
  const early = await ask('wait', taskId, '--timeout-s', '1');
  assert.is(early.exitCode, 1);
  assert.match(early.stderr, `taskmesh wait ${taskId}`);
});

outcomes('without --timeout-s waiting goes on until the task is finished', async () => {
  const { ask, fake, context } = shell();
  const clock = new FakeClock();
  context.clock = clock;
  let left = 3;
  fake.on('wait', async ({ timeout_s }) => {
    clock.advance(timeout_s * 1000);
    const done = --left === 0;
    return { task: { ...exampleTask, status: done ? 'completed' : 'running', result: 1 }, done };
  });
  assert.is((await ask('wait', taskId)).exitCode, 0);
  assert.is(fake.calls.length, 3);
});

outcomes('submit --wait shows who did the task, how long it took, and the result', async () => {
  const { ask, fake } = shell();
  fake.on('wait', async () => ({
    task: {
      ...exampleTask,
      status: 'completed',
      created_at: 1,
      started_at: 1.5,
      finished_at: 1.92,
      result: { words: 6 },
    },
    done: true,
  }));
  const said = await ask('submit', 'text.stats', '"a"', '--wait');
  assert.is(said.exitCode, 0);
  assert.match(said.stdout, /status +completed \(attempt 1 of 3\)/);
  assert.match(said.stdout, `w on ${peerId}`);
  assert.match(said.stdout, '0.42 s, after 0.50 s in the queue');
  assert.match(said.stdout, /result +\{"words":6\}/);
});

outcomes('submit prints the task’s id alone, and what to do with it beside it', async () => {
  const said = await shell().ask('submit', 't');
  assert.is(said.stdout, `${taskId}\n`);
  assert.match(said.stderr, `taskmesh wait ${taskId}`);
});

outcomes('progress is a line per change, and repainted on a terminal', async () => {
  const { ask, fake, terminal } = shell();
  fake.on('wait', async (_input, { onProgress }) => {
    for (const done of [1, 1, 2]) onProgress?.({ task_id: taskId, status: 'running', attempt: 1, progress: { done } });
    return { task: { ...exampleTask, status: 'completed' }, done: true };
  });
  assert.is((await ask('wait', taskId)).stderr, 'running: {"done":1}\nrunning: {"done":2}\n');
  terminal.isTTY = true;
  const painted = (await ask('wait', taskId)).stderr;
  assert.is(painted, '\r\u001b[2Krunning: {"done":1}\r\u001b[2Krunning: {"done":2}\r\u001b[2K');
});

outcomes('a terminal gets colours, unless NO_COLOR is set', async () => {
  const { ask, terminal, context } = shell();
  terminal.isTTY = true;
  assert.match((await ask('get', taskId)).stdout, '\u001b[33mrunning\u001b[0m');
  context.env = { NO_COLOR: '1' };
  assert.not.match((await ask('get', taskId)).stdout, '\u001b');
});

outcomes('text from other machines cannot steer the terminal', async () => {
  const { ask, fake } = shell();
  const evil = 'a\u001b]0;owned\u0007b\u009b2Jc';
  fake.on('get', async () => ({
    task: { ...exampleTask, status: 'failed', task_type: evil, error: evil, assigned_worker: evil, payload: evil },
  }));
  fake.on('list', async () => ({ tasks: [{ ...exampleTask, task_type: evil, assigned_worker: evil }], cursor: null }));
  fake.on('cancel', () => Promise.reject(new MeshError('wrong_state', evil)));
  for (const argv of [['get', taskId], ['list'], ['cancel', taskId]]) {
    const said = await ask(...argv);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested.
    assert.not.match(said.stdout + said.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
});

outcomes('a miss in the cache and an empty claim are told by exit code 1', async () => {
  const { ask, fake } = shell();
  fake.on('cache_get', async () => ({ key: 'k', hit: false, value: null }));
  fake.on('cache_has', async () => ({ key: 'k', hit: false }));
  fake.on('claim', async () => ({ task: null }));
  for (const argv of [['cache', 'get', 'k'], ['cache', 'has', 'k'], ['claim']]) {
    assert.is((await ask(...argv)).exitCode, 1, argv.join(' '));
  }
});

outcomes('numbers are for people in the text, and exact with --json', async () => {
  const { ask, fake } = shell();
  fake.on('connect', async () => ({ peer_id: peerId, multiaddr: '/ip4/127.0.0.1/tcp/1', duration_ms: 76.27775899 }));
  assert.match((await ask('connect', peerId)).stdout, /^duration +76 ms$/m);
  assert.match((await ask('connect', peerId, '--json')).stdout, '"duration_ms":76.27775899');
  fake.on('heartbeat', async () => ({ task_id: taskId, lease_until: 10 + 30, lease_s: 30 }));
  assert.match((await ask('heartbeat', taskId, '1')).stdout, /^lease until +in 30 s\nlease +30 s$/m);
});

outcomes('a task that waits for its next attempt says when that is', async () => {
  const { ask, fake } = shell();
  const task = { ...exampleTask, status: 'queued' as const, next_attempt_at: 22 };
  fake.on('get', async () => ({ task }));
  fake.on('list', async () => ({ tasks: [task, { ...task, next_attempt_at: 9 }], cursor: null }));
  assert.match((await ask('get', taskId)).stdout, /^next attempt +in 12 s$/m);
  assert.match(
    (await ask('list')).stdout,
    /^queued, next attempt in 12 s {2}text\.stats[\s\S]*\nqueued {3,}text\.stats/m,
  );
});

outcomes('status says how the P2P side is only when there is something to say', async () => {
  const { ask, fake } = shell();
  const output = await fake.mesh.call('status', {});
  const side = { layout: 'worker', state: 'up' as const, restarts: 0, in_flight: 0, since: 1, last_error: null };
  const textOf = async (bridge: typeof output.bridge): Promise<string> => {
    fake.on('status', async () => ({ ...output, bridge }));
    return (await ask('status')).stdout;
  };
  assert.not.match(await textOf(side), 'P2P side');
  assert.match(
    await textOf({ ...side, restarts: 2, last_error: 'it ran out of memory' }),
    /P2P side +up, restarted 2 times, last error: it ran out/,
  );
  assert.match(await textOf({ ...side, state: 'unresponsive' }), /P2P side +unresponsive$/m);
});

outcomes('an address or a peer id that cannot be is a mistake in the command line', async () => {
  for (const code of ['invalid_multiaddr', 'invalid_peer_id'] as const) {
    const { ask, fake } = shell();
    fake.on('connect', () => Promise.reject(new MeshError(code, 'It is none.')));
    assert.is((await ask('connect', 'hello')).exitCode, 2);
  }
  assert.match((await shell().ask('get', 'x')).stderr, 'as submit answered it. (invalid_params)');
});

outcomes('Ctrl-C gives the call up and ends with 130', async () => {
  const { ask, fake, interrupt } = shell();
  const { promise: waiting, resolve } = Promise.withResolvers<void>();
  fake.on('wait', (_input, { signal }) => {
    resolve();
    return new Promise((_done, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  });
  const said = ask('wait', taskId);
  await waiting;
  interrupt();
  assert.is((await said).exitCode, 130);
});

outcomes('a tool that failed over mcp-request is a failure, as it is of call', async () => {
  const { ask, fake } = shell();
  const failure = { ok: false, error: 'unauthorized', message: 'Not this one.', retryable: false, details: { a: 1 } };
  const request = ['mcp-request', 'tools/call', '{"name": "t"}', '--peer', peerId];
  fake.on('mcp_request', async () => ({ peer_id: peerId, result: { isError: true, structuredContent: failure } }));
  const refused = await ask(...request, '--json');
  assert.equal([refused.exitCode, JSON.parse(refused.stdout)], [1, failure]);
  const result = { isError: true, content: [{ type: 'text', text: 'It broke.' }] };
  fake.on('mcp_request', async () => ({ peer_id: peerId, result }));
  const foreign = await ask(...request, '--json');
  const { ok, error, message, details } = JSON.parse(foreign.stdout);
  assert.equal([foreign.exitCode, ok, error, message, details], [1, false, 'tool_error', 'It broke.', { result }]);
  const people = await ask(...request);
  assert.equal([people.exitCode, people.stdout], [1, '']);
  assert.match(people.stderr, 'It broke. (tool_error)');
  fake.on('mcp_request', async () => ({ peer_id: peerId, result: { content: [] } }));
  assert.is((await ask(...request)).exitCode, 0);
});

outcomes('a claim that got nothing says who refused which types; a flag for an argument is told of', async () => {
  const { ask, fake } = shell();
  const refused = [{ peer_id: peerId, task_types: ['a'], message: 'Node X does not let this peer claim "a".' }];
  fake.on('claim', async () => ({ task: null, refused }));
  const people = await ask('claim', 'b', 'a');
  assert.equal([people.exitCode, people.stdout], [1, `There is nothing to do.\n${refused[0]?.message}\n`]);
  assert.equal(JSON.parse((await ask('claim', 'b', 'a', '--json')).stdout), { ok: true, task: null, refused });
  for (const flag of ['--type', '--types']) {
    const said = await ask('claim', flag, 'a');
    assert.is(said.exitCode, 2);
    assert.match(said.stderr, 'claim takes TYPE without a flag: taskmesh claim [TYPE…]');
  }
});

outcomes.run();
