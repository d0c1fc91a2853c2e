import * as assert from 'uvu/assert';
import { Progress } from '../../bench/runner/progress.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('progress');

function make(isTTY: boolean) {
  let now = 0;
  let text = '';
  const output = { write: (piece: string) => (text += piece), isTTY, columns: 200 };
  const stages = [
    { name: 'one', budgetMs: 60_000 },
    { name: 'two', budgetMs: 120_000 },
  ];
  const progress = new Progress(output, stages, () => now);
  return { progress, pass: (ms: number) => (now += ms), written: () => text };
}

test('what is left is what the stage takes at its pace, and the budgets of those to come', () => {
  const { progress, pass } = make(false);
  progress.begin(0);
  assert.is(progress.remainingMs(0), 180_000);
  pass(40_000);
  assert.is(progress.remainingMs(0.5), 40_000 + 120_000);
  progress.begin(1);
  pass(30_000);
  assert.is(progress.remainingMs(0.75), 10_000);
});

test('on a terminal one line changes; elsewhere a line comes now and then', () => {
  const terminal = make(true);
  terminal.progress.begin(0);
  terminal.progress.step('a cell', 0.5);
  terminal.progress.end();
  assert.not.match(terminal.written(), /\n/);
  assert.ok(terminal.written().endsWith('\r\u001b[K1/2 one 50 %, 2 min 00 s left: a cell\r\u001b[K'));

  const file = make(false);
  file.progress.begin(0);
  file.progress.step('soon after', 0.1);
  file.pass(11_000);
  file.progress.step('later', 0.2);
  assert.is(file.written().split('\n').length, 3);
  assert.ok(!file.written().includes('soon after') && !file.written().includes('\u001b'));
});

test.run();
