/** The systemd units: they start what exists, with settings that exist, shut in alike; and systemd's own tools agree. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import denoConfig from '../../deno.json' with { type: 'json' };
import { isSettingName, settingEntry, settingNames, variableOf } from '../../src/config/settings.ts';
import { suite } from '../tooling/suite.ts';
import { readCommand, readUnits, type Unit, unitFolder } from './read-unit.ts';

const test = suite('systemd units');
const units = readUnits();
const named = (name: string): Unit => {
  const unit = units.find((one) => one.name === name);
  if (unit === undefined) throw new Error(`there is no ${name}`);
  return unit;
};
const commandOf = (unit: Unit) => {
  const [line = ''] = unit.values('ExecStart');
  return readCommand(line.split(' ').slice(1));
};

test('there is one for each arrangement', () => {
  assert.equal(units.map(({ name }) => name).sort(), [
    'taskmesh-deno.service',
    'taskmesh-node.service',
    'taskmesh-p2p.service',
    'taskmesh-server.service',
  ]);
});

test('each starts a file that exists, with settings that exist and words that they allow', () => {
  for (const unit of units) {
    assert.is(unit.values('ExecStart').length, 1, unit.name);
    const { runtime, entrypoint, flags } = commandOf(unit);
    assert.ok(['node', 'deno'].includes(runtime[0] ?? ''), unit.name);
    assert.ok(existsSync(fileURLToPath(new URL(`../../${entrypoint}`, import.meta.url))), entrypoint);
    for (const [flag, value] of flags) {
      assert.ok(isSettingName(flag), `${unit.name}: --${flag} is no setting`);
      const { choices } = settingEntry(flag);
      assert.ok(choices === undefined || choices.includes(value), `${unit.name}: --${flag} ${value}`);
    }
  }
});

test('variables of the program that they set are settings', () => {
  const variables = new Set<string>(settingNames.map(variableOf));
  for (const unit of units) {
    const set = unit.values('Environment').flatMap((line) => line.split(' ').map((pair) => pair.split('=')[0] ?? ''));
    for (const variable of set.filter((name) => name.startsWith('TASKMESH_')))
      assert.ok(variables.has(variable), `${unit.name}: ${variable}`);
  }
});

test('Deno gets the permissions of its task, and those that telling systemd takes', () => {
  const task = readCommand(denoConfig.tasks.start.split(' ')).runtime;
  const expected = task.map((word) => {
    const here = word.replaceAll('$HOME/.taskmesh', '%S/taskmesh');
    return here.startsWith('--allow-env=') ? `${here},NOTIFY_SOCKET,WATCHDOG_USEC` : here;
  });
  assert.equal(commandOf(named('taskmesh-deno.service')).runtime, [...expected, '--allow-run=systemd-notify']);
});

test('all are shut in alike', () => {
  const alike = [
    ...['Type', 'NotifyAccess', 'User', 'Group', 'UMask', 'WorkingDirectory', 'EnvironmentFile', 'SyslogIdentifier'],
    ...[
      'Restart',
      'WatchdogSec',
      'RestartPreventExitStatus',
      'KillSignal',
      'KillMode',
      'TimeoutStartSec',
      'TimeoutStopSec',
    ],
    ...['LimitNOFILE', 'TasksMax', 'MemoryDenyWriteExecute', 'NoNewPrivileges', 'CapabilityBoundingSet'],
    ...['ProtectSystem', 'ProtectHome', 'ProtectProc', 'PrivateTmp', 'PrivateDevices', 'PrivateUsers'],
    ...['RestrictAddressFamilies', 'RestrictNamespaces', 'SystemCallFilter', 'SystemCallErrorNumber'],
  ];
  for (const directive of alike) {
    const first = units[0]?.values(directive) ?? [];
    assert.is.not(first.length, 0, directive);
    for (const unit of units) assert.equal(unit.values(directive), first, `${unit.name}: ${directive}`);
  }
});

test('whoever holds the data folder may write there alone; the server in front writes nowhere', () => {
  for (const unit of units) {
    const holds = unit.name !== 'taskmesh-server.service';
    assert.equal(unit.values('StateDirectory'), holds ? ['taskmesh'] : [], unit.name);
    assert.equal(unit.values('ReadWritePaths'), [], unit.name);
    assert.is(commandOf(unit).flags.get('data'), '%S/taskmesh', unit.name);
  }
});

test('two that would hold the same data folder do not run together, and the server outlives the P2P service', () => {
  for (const unit of units) {
    const others = unit.values('Conflicts').flatMap((line) => line.split(' '));
    const paired = ['taskmesh-p2p.service', 'taskmesh-server.service'];
    const expected = units.map(({ name }) => name).filter((name) => name !== unit.name);
    const rivals = expected.filter((name) => !(paired.includes(unit.name) && paired.includes(name)));
    assert.equal(others.sort(), rivals.sort(), unit.name);
  }
  const server = named('taskmesh-server.service');
  assert.equal(server.values('Wants'), ['taskmesh-p2p.service']);
  assert.equal(server.values('After'), ['taskmesh-p2p.service']);
  assert.equal(server.values('Requires'), []);
});

const paths = units.map(({ name }) => unitFolder + name);
const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

if (analyze('--version').status === 0) {
  test('systemd-analyze verify finds nothing to say', () => {
    const { status, stdout, stderr } = analyze('verify', '--man=no', ...paths);
    // What it warns of without failing; it may also speak of the machine's own units.
    const remarks = (stdout + stderr).split('\n').filter((line) => line.includes('taskmesh'));
    assert.equal(remarks, []);
    assert.is(status, 0, stderr);
  });

  test('systemd-analyze security rates each at 1.6 of 10 or better', () => {
    for (const path of paths) {
      const { status, stdout } = analyze('security', '--offline=true', '--no-pager', '--threshold=16', path);
      assert.is(status, 0, stdout);
    }
  });
} else {
  test.skip('systemd-analyze verify and security: SKIPPED, systemd-analyze is not installed here', () => {});
}

test.run();
