import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { commands } from '../../src/cli/commands.ts';
import { version } from '../../src/mesh/build.ts';
import { programOf } from '../../src/work/program.ts';
import { taskId } from '../server/fake-mesh.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { inputOf, lines } from './lines.ts';
import { shell } from './shell.ts';

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
    for (const [name, { hidden }] of Object.entries(command.flags)) {
      if (hidden) assert.not.match(said.stdout, new RegExp(`--${name}\\b`));
      else assert.match(said.stdout, `--${name}`);
    }
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

help('the four commands of the cache are listed together', async () => {
  const { run } = shell();
  const said = await run('cache', '--help');
  assert.is(said.exitCode, 0);
  for (const verb of ['get', 'set', 'has', 'delete']) assert.match(said.stdout, new RegExp(`  cache ${verb} +\\w`));
  assert.equal(await run('help', 'cache'), said);
  assert.equal(await run('cache', '-h'), said);
});

help('wait says once, and rightly, how long it waits', async () => {
  const said = await shell().run('wait', '--help');
  assert.match(said.stdout, 'Default: until the task is finished.');
  assert.not.match(said.stdout, 'Default: 60');
});

help('what has a short way is explained there, and its long flag is still accepted', async () => {
  const { run, ask, fake } = shell();
  const said = await run('submit', '--help');
  assert.match(said.stdout, /Arguments:\n[\s\S]*PAYLOAD\n +The work itself/);
  assert.not.match(said.stdout, '--payload');
  assert.not.match(said.stdout, '--remote-');
  await ask('submit', 't', '--payload', '[1]', '--remote-peer-id', 'P');
  const { payload, remote_peer_id } = inputOf(fake, 0);
  assert.equal([payload, remote_peer_id], [[1], 'P']);
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

help.run();
