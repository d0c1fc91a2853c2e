import { readdir, readFile, stat } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { exampleTask, taskId } from '../server/fake-mesh.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { shell } from './shell.ts';

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

starting('a service says with --json once where it is, for the program that started it', async () => {
  const { run, context } = shell();
  const ready = '{"ok":true,"peer_id":"p"}\n';
  assert.is((await run('serve', '--json')).stdout, ready);
  assert.is((await run('p2p', '--json')).stdout, ready);
  context.serve = () => Promise.reject(new MeshError('address_in_use', 'Port 7331 is taken.'));
  assert.is(JSON.parse((await run('serve', '--json')).stdout).error, 'address_in_use');
});

starting('p2p hands its settings to the P2P service and answers its exit code', async () => {
  const { run, started, context } = shell();
  const said = await run('p2p', '--rpc-listen', 'http://127.0.0.1:7332');
  assert.equal([said.exitCode, said.stdout], [0, 'it runs\n']);
  assert.equal(started[0]?.rpcListen, ['http://127.0.0.1:7332']);
  context.serveP2p = () => Promise.reject(new MeshError('address_in_use', 'Another P2P service answers.'));
  assert.match((await run('p2p')).stderr, 'Another P2P service answers. (address_in_use)');
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
  assert.match(said.stderr, 'finishing 1 task, up to 5 s; Ctrl-C again stops now');
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

starting.run();
