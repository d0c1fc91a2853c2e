import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { commands } from '../../src/cli/commands.ts';
import { settingFlags } from '../../src/cli/help.ts';
import { operationNames } from '../../src/mesh/operations.ts';
import { taskId } from '../server/fake-mesh.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { inputOf, lines } from './lines.ts';
import { shell } from './shell.ts';

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

parsing.run();
usage.run();
