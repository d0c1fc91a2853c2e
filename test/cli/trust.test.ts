import { mkdir, readdir, writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { defaultGrant, noGrant } from '../../src/mesh/grant.ts';
import { readTicket } from '../../src/trust/ticket.ts';
import { TrustFolder } from '../../src/trust/trust-folder.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { type Shell, shell } from './shell.ts';

const peer = `12D3KooW${'A'.repeat(44)}`;
const other = `12D3KooW${'B'.repeat(44)}`;
const listening = ['--p2p-listen', '/ip4/192.0.2.7/tcp/4001'];

const trust = suite('the commands of trust');

async function json(run: Shell['run'], ...argv: string[]): Promise<Record<string, unknown>> {
  const said = await run(...argv, '--json');
  return JSON.parse(said.stdout);
}

trust(
  'invite makes the key, keeps the hash of the secret alone, and prints a ticket for one machine and one hour',
  async () => {
    await using folder = await tempFolder();
    const { run } = shell();
    const data = ['--data', folder.path];
    const made = await json(run, 'invite', ...listening, '--label', 'laptop', ...data);
    const ticket = readTicket(String(made.ticket));
    assert.equal([made.once, made.mesh_key_made, made.restart_needed], [true, true, false]);
    assert.equal(ticket.addresses, ['/ip4/192.0.2.7/tcp/4001']);
    const kept = await new TrustFolder(folder.path).tickets.get(ticket.id);
    assert.equal([kept?.label, kept?.once, kept?.grant], ['laptop', true, defaultGrant]);
    assert.is((kept?.expires_at ?? 0) - (kept?.created_at ?? 0), 3600);
    const secret = Buffer.from(ticket.secret);
    for (const form of ['hex', 'base64url'] as const)
      assert.not.ok(JSON.stringify(kept).includes(secret.toString(form)));
    const shown = await json(run, 'trust', ...data);
    assert.not.match(JSON.stringify(shown), /secret/);
    const again = await json(
      run,
      'invite',
      ...listening,
      '--many',
      '--expires',
      '7d',
      '--may',
      'submit:x,see:own',
      ...data,
    );
    assert.equal([again.once, again.mesh_key_made], [false, false]);
    assert.equal(again.grant, { ...noGrant, submit: ['x'], see: 'own' });
    assert.equal(readTicket(String(again.ticket)).meshSecret, ticket.meshSecret);
  },
);

trust('invite refuses when nobody else could reach the node, and says what to set', async () => {
  await using folder = await tempFolder();
  const { run } = shell();
  const announced = { peer_id: peer, multiaddr: '', multiaddrs: [`/ip4/127.0.0.1/tcp/5/p2p/${peer}`] };
  await writeFile(folder.file('announce.json'), JSON.stringify(announced));
  const said = await run('invite', '--data', folder.path);
  assert.is(said.exitCode, 1);
  assert.match(said.stderr, 'loopback only');
  assert.match(said.stderr, 'taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001');
  const local = await json(run, 'invite', '--local', '--data', folder.path);
  assert.equal([local.inviter, local.addresses], [peer, ['/ip4/127.0.0.1/tcp/5']]);
  const named = await json(run, 'invite', '--address', '/dns4/home.example/tcp/4001', '--data', folder.path);
  assert.equal(named.addresses, ['/dns4/home.example/tcp/4001']);
});

trust('invite draws a QR code on a terminal that it fits into, and nowhere else', async () => {
  await using folder = await tempFolder();
  const { run, terminal } = shell();
  const argv = ['invite', ...listening, '--data', folder.path];
  assert.not.match((await run(...argv)).stdout, '█');
  Object.assign(terminal, { isTTY: true, columns: 100, rows: 50 });
  assert.match((await run(...argv)).stdout, '█');
  assert.not.match((await run(...argv, '--no-qr')).stdout, '█');
  Object.assign(terminal, { columns: 80, rows: 24 });
  const small = (await run(...argv)).stdout;
  assert.not.match(small, '█');
  assert.match(small, /left out: it needs a terminal of \d+ columns and \d+ rows, and this one has 80 and 24/);
  assert.match(small, 'taskmesh1-');
  assert.match((await run(...argv, '--qr')).stdout, '█');
});

/** Two machines: the ticket of one, and a shell for the other whose node does with the ticket what it is told. */
async function invited(folder: string, answer: 'yes' | string | undefined, running = false) {
  const inviter = shell();
  const { ticket } = await json(inviter.run, 'invite', ...listening, '--data', `${folder}/a`);
  const joiner = shell();
  const data = `${folder}/b`;
  const { MeshError } = await import('../../src/mesh/errors.ts');
  joiner.context.joinMesh = async (settings) => {
    joiner.started.push(settings);
    const { joins } = new TrustFolder(data);
    for (const entry of (await joins.all()).entries.values()) {
      if (answer === 'yes') await joins.take(entry.id);
      else if (answer !== undefined) await joins.put({ ...entry, refused: answer });
    }
    if (running) throw new MeshError('data_folder_locked', 'Another node holds it.');
    return { ...joiner.fake.mesh, async [Symbol.asyncDispose]() {} };
  };
  return { joiner, ticket: String(ticket), data };
}

trust('join takes the key, lists the inviter as one who may introduce, and shows the ticket', async () => {
  await using folder = await tempFolder();
  const { joiner, ticket, data } = await invited(folder.path, 'yes');
  // As mail gives it back.
  const broken = ticket.replaceAll(/.{70}/g, '$&\r\n  ');
  const said = await json(joiner.run, 'join', broken, '--data', data);
  assert.equal([said.ok, said.joined, said.mesh_key_new, said.restart_needed], [true, true, true, false]);
  const { inviter } = readTicket(ticket);
  const entry = await new TrustFolder(data).peers.get(inviter);
  assert.equal(entry?.grant, { ...defaultGrant, introduce: true });
  assert.equal(entry?.addresses, [`/ip4/192.0.2.7/tcp/4001/p2p/${inviter}`]);
  assert.equal([joiner.started[0]?.p2pListen, joiner.started[0]?.mdns], [[], false]);
  assert.equal(await readdir(`${folder.path}/b`), ['mesh.key', 'node.key', 'trust']);
});

trust('join reads the ticket from standard input, where it stands in no list of processes', async () => {
  await using folder = await tempFolder();
  const { joiner, ticket, data } = await invited(folder.path, 'yes');
  const given = async (input: string[], isTTY: boolean, ...argv: string[]) => {
    const left: string[] = [...input];
    const stdin = (async function* () {
      for (let line = left.shift(); line !== undefined; line = left.shift()) yield line;
    })();
    joiner.context.stdin = Object.assign(stdin, { isTTY });
    return { ...(await joiner.run('join', ...argv, '--data', data)), left };
  };
  for (const argv of [['-'], []]) {
    const nothing = await given([], true, ...argv);
    assert.is(nothing.exitCode, 2);
    assert.match(nothing.stderr, 'No ticket came on standard input');
  }
  assert.match((await given([], false, '-')).stderr, 'No ticket came on standard input');
  assert.match((await given([`${ticket}\n`], false)).stderr, 'join needs TICKET');
  assert.match((await given([`${ticket.slice(0, -4)}\n`, '\n', 'more'], true)).stderr, 'not a whole ticket');
  // Whoever types presses Enter and no more.
  const typed = await given([`${ticket.slice(0, 80)}\n`, `${ticket.slice(80)}\n`, 'more'], true);
  assert.equal([typed.exitCode, typed.left], [0, ['more']]);
  assert.match(typed.stderr, 'Paste the ticket and press Enter');
  assert.is((await given([`${ticket}\n`], false, '-')).exitCode, 0);
});

trust('join leaves it to the node that runs, and says when that has to be restarted', async () => {
  await using folder = await tempFolder();
  const first = await invited(folder.path, undefined, true);
  const said = await first.joiner.run('join', first.ticket, '--data', first.data);
  assert.is(said.exitCode, 0);
  assert.match(said.stderr, 'restart it');
  const second = await invited(folder.path, 'yes', true);
  const joined = await json(second.joiner.run, 'join', second.ticket, '--data', second.data);
  assert.equal([joined.joined, joined.mesh_key_new, joined.restart_needed], [true, false, false]);
});

trust('join refuses what is no ticket, cut, expired, its own, or of another mesh', async () => {
  await using folder = await tempFolder();
  const { joiner, ticket, data } = await invited(folder.path, 'The inviter says no.');
  const error = async (...argv: string[]): Promise<string> => {
    const said = await joiner.run('join', ...argv);
    assert.is.not(said.exitCode, 0);
    return said.stderr;
  };
  assert.match(await error('hello', '--data', data), 'not a whole ticket');
  assert.match(await error(ticket.slice(0, -3), '--data', data), 'not a whole ticket');
  assert.match(await error(`${ticket}A`, '--data', data), 'not a whole ticket');
  assert.match(await error(ticket, '--data', `${folder.path}/a`), 'this machine’s own');
  await mkdir(`${folder.path}/c`);
  await joiner.run('init', '--data', `${folder.path}/c`);
  assert.match(await error(ticket, '--data', `${folder.path}/c`), 'in another mesh');
  assert.match(await error(ticket, '--data', data), 'The inviter says no.');
  const trustFolder = new TrustFolder(data);
  assert.is((await trustFolder.peers.all()).entries.size, 0, 'who refused is trusted with nothing');
  assert.is((await trustFolder.joins.all()).entries.size, 0);
  assert.not.ok((await readdir(data)).includes('mesh.key'));
  const { FakeClock } = await import('../support/fake-clock.ts');
  joiner.context.clock = new FakeClock(10_000 + 3_600_001);
  assert.match(await error(ticket, '--data', data), 'expired at 1970');
});

trust('grant lists, changes one field at a time, and lets in again; revoke shuts out and withdraws', async () => {
  await using folder = await tempFolder();
  const { run } = shell();
  const data = ['--data', folder.path];
  const { peers, tickets } = new TrustFolder(folder.path);
  assert.match((await run('grant', peer, '--label', 'laptop', ...data)).stdout, 'submit tasks, work on tasks');
  await run('grant', 'laptop', '--tool', 'word_count', '--rate', '5', ...data);
  const entry = await peers.get(peer);
  assert.equal(entry?.grant, { ...defaultGrant, tools: ['word_count'], requests_per_second: 5 });
  assert.is((await run('revoke', 'laptop', ...data)).exitCode, 0);
  assert.is((await peers.get(peer))?.revoked_at, 10);
  assert.match((await run('trust', ...data)).stdout, 'shut out');
  await run('grant', 'laptop', ...data);
  assert.equal([(await peers.get(peer))?.revoked_at, (await peers.get(peer))?.grant], [null, entry?.grant]);
  await run('revoke', other, ...data);
  assert.equal((await peers.get(other))?.grant, noGrant);
  const { id } = await json(run, 'invite', ...listening, ...data);
  await run('revoke', String(id), ...data);
  assert.is(await tickets.get(String(id)), undefined);
});

trust('grant --add takes nothing away; a flag that names a list replaces it, and says so', async () => {
  await using folder = await tempFolder();
  const { run } = shell();
  const data = ['--data', folder.path];
  const granted = async () => (await new TrustFolder(folder.path).peers.get(peer))?.grant;
  const first = await run('grant', peer, '--may', 'submit:a, submit:b,see:own', ...data);
  assert.match(first.stdout, 'was not listed before');
  assert.equal(await granted(), { ...noGrant, submit: ['a', 'b'], see: 'own' });
  const added = await run('grant', peer, '--add', 'submit:c,tools:t', '--add', 'see:own,work,cache_read:k/', ...data);
  const more = { submit: ['a', 'b', 'c'], tools: ['t'], work: ['*'], cache_read: ['k/'] };
  assert.equal(await granted(), { ...noGrant, see: 'own', ...more });
  assert.match(added.stdout, 'submit tasks of the types a, b, c');
  assert.match(added.stdout, 'Before, it might submit tasks of the types a, b, see its own tasks.');
  assert.is(added.stderr, '');
  await run('grant', peer, '--add', 'see:all', ...data);
  await run('grant', peer, '--add', 'see:own,submit:a', ...data);
  assert.equal(await granted(), { ...noGrant, see: 'all', ...more });
  const replaced = await run('grant', peer, '--submit', 'c', ...data);
  assert.equal((await granted())?.submit, ['c']);
  assert.match(replaced.stderr, `To add instead: taskmesh grant ${peer} --add`);
  const said = await json(run, 'grant', peer, '--add', 'submit', ...data);
  assert.equal((said.before as { submit: string[] }).submit, ['c']);
  assert.equal((said.peer as { grant: { submit: string[] } }).grant.submit, ['*']);
});

trust('a label names one peer; a rate is taken off again', async () => {
  await using folder = await tempFolder();
  const { run } = shell();
  const data = ['--data', folder.path];
  await run('grant', peer, '--label', 'laptop', '--rate', '5', ...data);
  const taken = await run('grant', other, '--label', 'laptop', ...data);
  assert.is(taken.exitCode, 2);
  assert.match(taken.stderr, `${peer} is called "laptop" already`);
  await run('grant', 'laptop', '--label', 'laptop', '--rate', 'none', ...data);
  const { peers } = new TrustFolder(folder.path);
  assert.equal((await peers.get(peer))?.grant, defaultGrant);
  await run('grant', peer, '--label', '', ...data);
  assert.is((await run('grant', other, '--label', 'laptop', ...data)).exitCode, 0);
});

trust('what is said wrongly is refused with what is allowed', async () => {
  await using folder = await tempFolder();
  const { run } = shell();
  for (const [argv, why] of [
    [['grant', 'nobody'], 'neither a peer id nor the label'],
    [['grant', peer, '--see', 'some'], '"none"|"own"|"all"'],
    [['grant', peer, '--rate', '-1'], '--rate must be a number over 0'],
    [['grant', peer, '--rate', 'fast'], 'or none; it is "fast"'],
    [['grant', peer, '--may', 'fly'], 'does not know "fly"'],
    [['grant', peer, '--add', 'fly'], '--add does not know "fly"'],
    [['grant', peer, '--may', 'submit:a submit:b see:own'], 'as in --may submit:a,submit:b,see:own, or repeat --may'],
    [['grant', peer, '--submit', 'a b'], 'Separate by commas, as in --submit a,b'],
    [['grant', peer, '--add', 'see:some'], '"none"|"own"|"all"'],
    [['invite', '--expires', 'soon'], '90s, 30m, 1h or 7d'],
    [['invite', '--address', 'home'], '/dns4/home.example/tcp/4001'],
    [['revoke', '0123456789abcdef'], 'no ticket'],
  ] as const) {
    const said = await run(...argv, '--data', folder.path);
    assert.is(said.exitCode, 2, argv.join(' '));
    assert.ok(said.stderr.includes(why), said.stderr);
  }
});

trust.run();
