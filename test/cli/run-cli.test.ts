import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commands } from '../../src/cli/commands.ts';
import { settingFlags } from '../../src/cli/help.ts';
import { version } from '../../src/mesh/build.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { type OperationName, operationNames } from '../../src/mesh/operations.ts';
import { programOf } from '../../src/work/program.ts';
import { exampleTask, type FakeMesh, inputs, peerId, taskId } from '../server/fake-mesh.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { shell } from './shell.ts';

const submitDefaults = {
  model_name: 'm',
  priority: 5,
  max_attempts: 3,
  backoff_s: 1,
  attempt_timeout_s: 3600,
  result_ttl_s: 604_800,
};

/** A command line for each operation, and the input that it must make. */
const lines: { [Name in OperationName]: [argv: string[], input: Record<string, unknown>] } = {
  status: [
    ['status', '--detail', '--timeout-s', '2.5', '--peer', 'P'],
    { detail: true, timeout_s: 2.5, remote_peer_id: 'P' },
  ],
  submit: [
    [
      'submit',
      'text.stats',
      '{"text":"a"}',
      '--priority',
      '8',
      '--idempotency-key',
      'k',
      '--peer',
      '/ip4/1.2.3.4/tcp/1/p2p/P',
    ],
    {
      task_type: 'text.stats',
      payload: { text: 'a' },
      priority: 8,
      idempotency_key: 'k',
      remote_multiaddr: '/ip4/1.2.3.4/tcp/1/p2p/P',
    },
  ],
  submit_many: [
    ['submit-many', JSON.stringify([{ ...inputs.submit, ...submitDefaults }])],
    { tasks: [{ ...inputs.submit, ...submitDefaults }] },
  ],
  claim: [
    ['claim', 'a', 'b', '--wait-s', '5', '--worker-id', 'w'],
    { supported_task_types: ['a', 'b'], wait_s: 5, worker_id: 'w' },
  ],
  heartbeat: [['heartbeat', taskId, '3', '{"done":1}'], { task_id: taskId, fence: 3, progress: { done: 1 } }],
  complete: [['complete', taskId, '3', '[1]'], { task_id: taskId, fence: 3, result: [1] }],
  fail: [['fail', taskId, '3', 'broken', '--no-retry'], { task_id: taskId, fence: 3, error: 'broken', retry: false }],
  release: [['release', taskId, '3'], { task_id: taskId, fence: 3 }],
  cancel: [['cancel', taskId, 'not needed'], { task_id: taskId, reason: 'not needed' }],
  get: [['get', taskId], { task_id: taskId }],
  list: [
    ['list', '--status', 'failed', '--task-types', 'a,b', '--task-types=c', '--limit', '7'],
    { status: 'failed', task_types: ['a', 'b', 'c'], limit: 7 },
  ],
  wait: [['wait', taskId, '--timeout-s', '1'], { task_id: taskId, timeout_s: 1 }],
  retry: [['retry', taskId, '--delay-s', '60'], { task_id: taskId, delay_s: 60 }],
  peers: [['peers', '--connected-only'], { connected_only: true }],
  discover: [['discover', '--timeout-s', '1'], { timeout_s: 1 }],
  connect: [['connect', peerId], { remote_peer_id: peerId }],
  call_tool: [
    ['call', 'word_count', '{"text":"a"}', '--peer', 'P'],
    { tool_name: 'word_count', args: { text: 'a' }, remote_peer_id: 'P' },
  ],
  cache_get: [['cache', 'get', 'k'], { key: 'k' }],
  cache_set: [['cache', 'set', 'k', '"v"', '--ttl-s', '9'], { key: 'k', value: 'v', ttl_s: 9 }],
  cache_has: [['cache', 'has', 'k'], { key: 'k' }],
  cache_delete: [['cache', 'delete', 'k'], { key: 'k' }],
};

function inputOf({ calls }: FakeMesh, index: number): Record<string, unknown> {
  return (calls[index]?.input ?? {}) as Record<string, unknown>;
}

const parsing = suite('commands are read');

for (const operation of operationNames) {
  const [argv, input] = lines[operation];
  parsing(`${argv.slice(0, argv[0] === 'cache' ? 2 : 1).join(' ')} makes the input of its operation`, async () => {
    const { ask, fake } = shell();
    const said = await ask(...argv, '--json');
    assert.is(said.stderr, '');
    assert.is(said.exitCode, 0);
    const [call] = fake.calls;
    assert.is(fake.calls.length, 1);
    assert.is(call?.name, operation);
    for (const [field, value] of Object.entries(input)) {
      assert.equal(inputOf(fake, 0)[field], value, field);
    }
    const answer = JSON.parse(said.stdout) as { ok: boolean };
    assert.is(answer.ok, true);
    assert.is(said.stdout.trim().split('\n').length, 1);
  });

  parsing(
    `${argv.slice(0, argv[0] === 'cache' ? 2 : 1).join(' ')} answers people with text that is no JSON`,
    async () => {
      const said = await shell().ask(...argv);
      assert.is(said.exitCode, 0);
      assert.ok(said.stdout.length > 1);
      assert.not.match(said.stdout, /undefined|\[object|NaN/);
      assert.not.match(said.stdout, '"ok"');
    },
  );
}

parsing('no flag of a command hides a setting', () => {
  const settings = Object.keys(settingFlags('all'));
  for (const command of commands) {
    for (const flag of Object.keys(command.flags)) assert.not.ok(settings.includes(flag), `${command.name} --${flag}`);
  }
});

parsing('a payload from a file is JSON if it can be, else a text', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('a.json'), '[1, 2]');
  await writeFile(folder.file('a.txt'), 'to be\n');
  await writeFile(folder.file('a.bin'), new Uint8Array([0xff, 0xfe]));
  const { ask, fake, context } = shell();
  context.folder = folder.path;
  await ask('submit', 't', '@a.json');
  await ask('submit', 't', '@a.txt');
  await ask('cache', 'set', 'k', '@a.txt');
  assert.equal(inputOf(fake, 0).payload, [1, 2]);
  assert.equal(inputOf(fake, 1).payload, { text: 'to be\n' });
  assert.equal(inputOf(fake, 2).value, 'to be\n');
  assert.match((await ask('submit', 't', '@a.bin')).stderr, 'neither JSON nor text');
  assert.match((await ask('submit', 't', '@none')).stderr, 'cannot be read from none');
});

parsing('a payload from standard input is read to its end', async () => {
  const { ask, fake, context } = shell();
  context.stdin = (async function* () {
    yield Buffer.from('{"a":');
    yield '1}';
  })();
  await ask('submit', 't', '-');
  assert.equal(inputOf(fake, 0).payload, { a: 1 });
});

const usage = suite('mistakes in the command line');

const mistakes: [argv: string[], message: RegExp][] = [
  [['stauts'], /no command "stauts".*Did you mean taskmesh status\?/],
  [['cache'], /one of: cache get, cache set, cache has, cache delete/],
  [['--json', 'status'], /command comes first/],
  [['status', '--detial'], /no flag --detial.*--detail/],
  [['submit', 't', '--prio', '3'], /Did you mean --priority\?/],
  [['submit'], /submit needs TYPE: taskmesh submit TYPE \[PAYLOAD\]/],
  [['get', taskId, 'more'], /does not take "more"/],
  [['list', '--limit'], /--limit needs a value/],
  [['list', '--limit', '--status', 'failed'], /--limit needs a value/],
  [['list', '--limit', 'many'], /limit must be a number, not "many"/],
  [['submit', 't', 'hello'], /payload is not JSON: hello/],
  [['submit', 't', '--port', '99999'], /"port" cannot be "99999" \(from --port\)/],
  [['get', 'no-id'], /A task id is 32 hex digits/],
  [['list', '--status', 'lost'], /status/],
  [['serve', '--host', '0.0.0.0'], /taskmesh init/],
  [['work', '--exec', 'cat'], /needs --type/],
  [['work', '--type', 't'], /needs --exec/],
  [['work', '--type', 't', '--exec', './none.ts'], /no program at/],
  [['work', '--type', 't', '--exec', 'cat', '--concurrency', '0'], /at least 1/],
];

for (const [argv, message] of mistakes) {
  usage(`${argv.slice(0, 5).join(' ').slice(0, 50)}: exit code 2 and what to do instead`, async () => {
    const { run, ask, fake } = shell();
    const said = await (argv[0] === 'serve' ? run(...argv) : ask(...argv));
    assert.is(said.exitCode, 2);
    assert.is(said.stdout, argv.includes('--json') ? said.stdout : '');
    assert.match(said.stderr, message);
    assert.is(fake.calls.length, 0);
  });
}

usage('with --json a mistake is one JSON object too', async () => {
  const said = await shell().ask('get', 'no-id', '--json');
  assert.is(said.exitCode, 2);
  const answer = JSON.parse(said.stdout) as { ok: boolean; error: string };
  assert.equal([answer.ok, answer.error], [false, 'invalid_params']);
});

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
  const { ask, fake } = shell();
  let left = 3;
  fake.on('wait', async () => {
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

const help = suite('help');

const lineNames = new Set(Object.values(lines).map(([argv]) => argv.slice(0, argv[0] === 'cache' ? 2 : 1).join(' ')));

for (const command of commands) {
  help(`${command.name} --help says how to use it, with an example`, async () => {
    const { run } = shell();
    const said = await run(...command.name.split(' '), '--help');
    assert.is(said.exitCode, 0);
    assert.is(said.stderr, '');
    assert.match(said.stdout, `Usage: taskmesh ${command.name}`);
    const examples = said.stdout.split('Examples:\n')[1] ?? '';
    assert.match(examples, `taskmesh ${command.name}`);
    for (const flag of Object.keys(command.flags)) assert.match(said.stdout, `--${flag}`);
    for (const line of said.stdout.split('\n')) assert.ok(line.length <= 140, line);
    assert.equal(await run('help', ...command.name.split(' ')), said);
  });
}

help('every example of an operation’s command does what it says', async () => {
  await using folder = await tempFolder();
  for (const name of ['README.md', 'result.json', 'table.json']) await writeFile(folder.file(name), '{"a": 1}');
  await writeFile(folder.file('tasks.json'), '[{"task_type": "a"}]');
  for (const command of commands) {
    if (!lineNames.has(command.name)) continue;
    for (const example of command.examples) {
      const line = example.replace(/^.*\| taskmesh /, '').replaceAll('0192f0c1…@12D3KooW…', taskId);
      const { ask, fake, context } = shell();
      context.folder = folder.path;
      const said = await ask(...programOf(line, { folder: '/', scriptCommand: [], exists: () => true }));
      assert.is(said.exitCode, 0, `${line}: ${said.stderr}`);
      assert.ok(fake.calls.length > 0);
    }
  }
});

help('the overview names every command, --version the version', async () => {
  const { run } = shell();
  const overview = await run('--help');
  assert.is(overview.exitCode, 0);
  for (const { name, summary } of commands)
    assert.match(overview.stdout, new RegExp(`  ${name} +${summary.slice(0, 20)}`));
  assert.is((await run('--version')).stdout, `${version}\n`);
  assert.is((await run()).exitCode, 2);
});

const starting = suite('commands that start something');

starting('serve hands its settings to the service and answers its exit code', async () => {
  const { run, started, context } = shell();
  const said = await run('serve', '--port', '7331', '--no-mdns', '--bootstrap', 'a.json', '--bootstrap', 'b.json');
  assert.is(said.exitCode, 0);
  assert.is(said.stdout, 'it runs\n');
  assert.equal([started[0]?.port, started[0]?.mdns, started[0]?.bootstrap.length], [7331, false, 2]);
  context.serve = async () => 1;
  assert.is((await run('serve')).exitCode, 1);
  context.serve = () => Promise.reject(new MeshError('address_in_use', 'Port 7331 is taken.'));
  assert.match((await run('serve')).stderr, 'Port 7331 is taken. (address_in_use)');
});

starting('--join is refused with an open door, as serve is', async () => {
  const said = await shell().ask('status', '--p2p-listen', '/ip4/0.0.0.0/tcp/1');
  assert.is(said.exitCode, 2);
  assert.match(said.stderr, 'taskmesh init');
});

starting('work does tasks with a program until Ctrl-C, then says what it did', async () => {
  const { ask, fake, interrupt } = shell();
  let given = 0;
  fake.on('claim', (_input, { signal }) => {
    if (given++ === 0) {
      return Promise.resolve({
        task: { ...exampleTask, payload: { n: 1 }, fence: 1, lease_s: 30, attempt_timeout_s: 0 },
      });
    }
    return new Promise((_done, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  });
  fake.on('wait', (_input, { signal }) => {
    return new Promise((_done, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  });
  fake.on('complete', async (input) => {
    assert.equal(input.result, { n: 1 });
    interrupt();
    return { task_id: taskId, status: 'completed' };
  });
  const said = await ask('work', '--type', 'text.stats,b', '--exec', 'cat', '--grace-s', '5');
  assert.is(said.exitCode, 0);
  assert.match(said.stderr, `completed text.stats ${taskId}`);
  assert.is(said.stdout, 'Tasks: 1 completed.\n');
  const claim = fake.calls.find(({ name }) => name === 'claim')?.input as Record<string, unknown>;
  assert.equal([claim.supported_task_types, claim.worker_id], [['text.stats', 'b'], 'box-1']);
});

starting('init makes a key that only its owner can read, and does not replace one by itself', async () => {
  await using folder = await tempFolder();
  const data = folder.file('data');
  const { run } = shell();
  const said = await run('init', '--data', data);
  assert.is(said.exitCode, 0);
  assert.match(said.stdout, 'taskmesh serve --p2p-listen');
  const key = await readFile(`${data}/mesh.key`, 'utf8');
  assert.match(key, /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-f]{64}$/);
  assert.is((await stat(`${data}/mesh.key`)).mode & 0o777, 0o600);
  assert.is((await stat(data)).mode & 0o777, 0o700);

  const again = await run('init', '--data', data);
  assert.is(again.exitCode, 1);
  assert.match(again.stderr, '--force');
  assert.is(await readFile(`${data}/mesh.key`, 'utf8'), key);

  assert.is((await run('init', '--data', data, '--force', '--json')).exitCode, 0);
  assert.is.not(await readFile(`${data}/mesh.key`, 'utf8'), key);
  assert.equal(await readdir(data), ['mesh.key']);
});

parsing.run();
usage.run();
outcomes.run();
help.run();
starting.run();
