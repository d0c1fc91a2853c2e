/** The units under a systemd of their own: what it sees of a start, a hang, a kill, a wrong setting, and the end. */

import * as assert from 'uvu/assert';
import { currentRuntime } from '../tooling/runtimes.ts';
import { suite } from '../tooling/suite.ts';
import { bootMachine, type Machine, whyNoMachine } from './machine.ts';

const why = await whyNoMachine();
const machines = suite('under systemd');

/** Each test on a machine of its own. */
function test(title: string, body: (machine: Machine) => Promise<void>): void {
  if (why === undefined) {
    machines(title, async () => {
      await using machine = await bootMachine();
      await body(machine);
    });
    return;
  }
  console.log(`SKIPPED: ${title}: this machine gives no systemd of its own (${why})`);
  machines.skip(title, async () => {});
}

const unit = `taskmesh-${currentRuntime}`;
const cli = `cd /opt/taskmesh && ${currentRuntime === 'node' ? 'node' : 'deno run --allow-all --quiet'} entrypoints/cli.ts`;

const propertyOf = (machine: Machine, of: string, name: string): Promise<string> =>
  machine.run(`systemctl show ${of} --property ${name} --value`);

/** Has a unit tell each time that it is ready, after systemd has heard so. */
async function tellStarts(machine: Machine, of: string, more = ''): Promise<void> {
  const dropIn = `[Service]\nExecStartPost=+/bin/sh -c 'echo %N is ready >/run/told'\n${more}`;
  const folder = `/etc/systemd/system/${of}.service.d`;
  await machine.run(`mkdir ${folder} && cat >${folder}/told.conf <<'END'\n${dropIn}\nEND\nsystemctl daemon-reload`);
}

async function submitted(machine: Machine): Promise<string> {
  const { task_id } = JSON.parse(await machine.run(`${cli} submit notes '{"n":1}' --json`));
  return task_id;
}

async function statusOf(machine: Machine, task: string): Promise<string> {
  return JSON.parse(await machine.run(`${cli} get ${task} --json`)).task.status;
}

test('a start comes back when calls are answered, and a stop when nothing is left', async (machine) => {
  await machine.run(`systemctl start ${unit}`);
  assert.is(await propertyOf(machine, unit, 'StatusText'), 'Serving');
  assert.is(await statusOf(machine, await submitted(machine)), 'queued');
  await machine.run(`systemctl stop ${unit}`);
  assert.is(await propertyOf(machine, unit, 'Result'), 'success');
  assert.is(await machine.run('ps -u taskmesh -o pid= || true'), '');
});

test('what was accepted before a kill is there when systemd has started it anew', async (machine) => {
  await tellStarts(machine, unit);
  await machine.run(`systemctl start ${unit}`);
  assert.is(await machine.told(), `${unit} is ready`);
  const task = await submitted(machine);
  await machine.run(`systemctl kill --signal KILL ${unit}`);
  assert.is(await machine.told(), `${unit} is ready`);
  assert.is(await propertyOf(machine, unit, 'NRestarts'), '1');
  assert.is(await statusOf(machine, task), 'queued');
});

test('a program that gives no sign of life is ended, and started anew', async (machine) => {
  await tellStarts(machine, unit, 'WatchdogSec=3');
  await machine.run(`systemctl start ${unit}`);
  assert.is(await machine.told(), `${unit} is ready`);
  await machine.run(`kill -STOP "$(systemctl show ${unit} --property MainPID --value)"`);
  assert.is(await machine.told(), `${unit} is ready`);
  assert.is(await propertyOf(machine, unit, 'NRestarts'), '1');
  assert.match(await machine.run(`journalctl --unit ${unit} --output cat`), /\S/);
});

test('a setting that cannot be used ends it for good, and the journal says which', async (machine) => {
  await machine.run('echo TASKMESH_LOG_LEVEL=loud >/etc/taskmesh/taskmesh.env');
  await machine.run(`! systemctl start ${unit}`);
  assert.is(await propertyOf(machine, unit, 'ActiveState'), 'failed');
  assert.is(await propertyOf(machine, unit, 'ExecMainStatus'), '2');
  assert.is(await propertyOf(machine, unit, 'NRestarts'), '0');
  assert.match(await machine.run(`journalctl --unit ${unit} --output cat`), 'log-level');
});

if (currentRuntime === 'node') {
  test('a server in front lives on while the P2P service is started anew, and makes room for another arrangement', async (machine) => {
    await tellStarts(machine, 'taskmesh-p2p');
    await machine.run('systemctl start taskmesh-p2p taskmesh-server');
    assert.is(await machine.told(), 'taskmesh-p2p is ready');
    const task = await submitted(machine);
    await machine.run('systemctl kill --signal KILL taskmesh-p2p');
    assert.is(await machine.told(), 'taskmesh-p2p is ready');
    assert.is(await statusOf(machine, task), 'queued');
    assert.is(await propertyOf(machine, 'taskmesh-server', 'NRestarts'), '0');
    await machine.run('systemctl start taskmesh-node');
    for (const one of ['taskmesh-p2p', 'taskmesh-server'])
      assert.is(await propertyOf(machine, one, 'ActiveState'), 'inactive');
    assert.is(await statusOf(machine, task), 'queued');
  });
}

machines.run();
