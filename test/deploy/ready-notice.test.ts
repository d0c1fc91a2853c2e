/** The notices to systemd: sent when there is one, by nobody but us, and never a reason to fail. */

import { chmod, readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import * as assert from 'uvu/assert';
import { takeNotices } from '../../entrypoints/ready-notice.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('ready notice');

test('without systemd nothing is run', async () => {
  let ran = 0;
  const notices = takeNotices({ PATH: '/usr/bin' }, async () => {
    ran += 1;
  });
  await notices.ready();
  await notices.stopping();
  assert.is(ran, 0);
});

test('systemd hears that it is ready and that it stops; children do not inherit its socket', async () => {
  const heard: string[] = [];
  const env: Record<string, string | undefined> = {
    NOTIFY_SOCKET: '/run/systemd/notify',
    PATH: '/usr/bin',
    OTHER: 'x',
  };
  const notices = takeNotices(env, async (program, args, given) => {
    assert.equal(given, { NOTIFY_SOCKET: '/run/systemd/notify', PATH: '/usr/bin' });
    heard.push([program, ...args].join(' '));
  });
  assert.is('NOTIFY_SOCKET' in env, false);
  await notices.ready();
  await notices.stopping();
  assert.equal(heard, ['systemd-notify READY=1 STATUS=Serving', 'systemd-notify STOPPING=1 STATUS=Stopping']);
});

test('signs of life come three times in the time that systemd waits for one, until it stops', async () => {
  const clock = new FakeClock();
  const heard: string[] = [];
  const env: Record<string, string | undefined> = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '60000000' };
  const run = async (_program: string, args: readonly string[]): Promise<void> => void heard.push(args[0] ?? '');
  const notices = takeNotices(env, run, clock);
  assert.is('WATCHDOG_USEC' in env, false);
  clock.advance(60_000);
  assert.equal(heard, []);
  await notices.ready();
  clock.advance(19_999);
  assert.equal(heard, ['READY=1']);
  clock.advance(40_001);
  assert.equal(heard, ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  await notices.stopping();
  clock.advance(60_000);
  assert.is(heard.length, 5);
});

test('a program that is missing or fails is no reason to stop', async () => {
  await using folder = await tempFolder();
  await takeNotices({ NOTIFY_SOCKET: '/nowhere', PATH: folder.path }).ready();
  await script(folder.file('systemd-notify'), 'exit 3');
  await takeNotices({ NOTIFY_SOCKET: '/nowhere', PATH: folder.path }).ready();
});

if (process.platform !== 'win32') {
  test('the program of that name is found, and is handed the socket', async () => {
    await using folder = await tempFolder();
    await script(folder.file('systemd-notify'), `echo "$NOTIFY_SOCKET $*" >> '${folder.file('heard')}'`);
    const notices = takeNotices({ NOTIFY_SOCKET: '@abstract', PATH: `${folder.path}:/usr/bin:/bin` });
    await notices.ready();
    await notices.stopping();
    assert.is(
      await readFile(folder.file('heard'), 'utf8'),
      '@abstract READY=1 STATUS=Serving\n@abstract STOPPING=1 STATUS=Stopping\n',
    );
  });
}

async function script(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}

test.run();
