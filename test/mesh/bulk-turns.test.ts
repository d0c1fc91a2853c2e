import * as assert from 'uvu/assert';
import { bulkTurns } from '../../src/mesh/bulk-turns.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('turns for bulk');

/** A loop in the test's hands: says in which turn what ran. */
function loop() {
  let queued: (() => void)[] = [];
  let turns = 0;
  const clock = new FakeClock();
  const inTurn = bulkTurns((run) => queued.push(run), clock);
  const ran: string[] = [];
  return {
    clock,
    ran,
    add: (name: string) => inTurn(() => ran.push(`${name} in turn ${turns}`)),
    inTurn,
    get idle() {
      return queued.length === 0;
    },
    turn(): void {
      turns++;
      const now = queued;
      queued = [];
      for (const run of now) run();
    },
  };
}

test('slices run one at a time, in order, with turns for others between them', () => {
  const { ran, add, turn } = loop();
  for (const name of ['a', 'b', 'c']) add(name);
  for (let count = 0; count < 13; count++) turn();
  assert.equal(ran, ['a in turn 1', 'b in turn 7', 'c in turn 13']);
});

test('a slice that comes right after another one waits as long as if it had stood in line', () => {
  const { ran, add, turn } = loop();
  add('a');
  turn();
  add('b');
  for (let count = 0; count < 6; count++) turn();
  assert.equal(ran, ['a in turn 1', 'b in turn 7']);
});

test('without bulk no turns are taken', () => {
  const line = loop();
  line.add('a');
  for (let count = 0; count < 7; count++) line.turn();
  assert.ok(line.idle);
  line.add('b');
  line.turn();
  assert.equal(line.ran, ['a in turn 1', 'b in turn 8']);
});

test('who asks is told what a slice took, with what followed from it until the next one', () => {
  const { clock, inTurn, turn } = loop();
  const costs: string[] = [];
  for (const name of ['a', 'b'])
    inTurn(
      () => clock.advance(2),
      (ms) => costs.push(`${name} ${ms}`),
    );
  turn();
  clock.advance(3);
  for (let count = 0; count < 6; count++) turn();
  assert.equal(costs, ['a 5']);
  for (let count = 0; count < 6; count++) turn();
  assert.equal(costs, ['a 5', 'b 2']);
});

test('a slice that throws does not stop the line', () => {
  const line = loop();
  line.inTurn(() => {
    throw new Error('broken');
  });
  line.add('next');
  assert.throws(() => line.turn(), 'broken');
  for (let count = 0; count < 6; count++) line.turn();
  assert.is(line.ran.length, 1);
});

test.run();
