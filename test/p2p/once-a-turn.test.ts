import * as assert from 'uvu/assert';
import { onceATurn } from '../../src/p2p/once-a-turn.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('once a turn');

test('what many ask for in one turn is found out once, and anew in the next turn', () => {
  const ends: (() => void)[] = [];
  let found = 0;
  const ask = onceATurn(
    () => ++found,
    (run) => ends.push(run),
  );
  assert.equal([ask(), ask(), ask()], [1, 1, 1]);
  for (const end of ends.splice(0)) end();
  assert.equal([ask(), ask(), ends.length], [2, 2, 1]);
});

test('what fails is tried again by the next one who asks', () => {
  let tries = 0;
  const ask = onceATurn(() => {
    if (++tries === 1) throw new Error('not now');
    return tries;
  });
  assert.throws(ask, 'not now');
  assert.is(ask(), 2);
});

test.run();
