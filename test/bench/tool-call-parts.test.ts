/** Where the time of a tool call goes: the parts that the rungs of the ladder make. */

import * as assert from 'uvu/assert';
import { ladderOf, partsOf, type Rung } from '../../bench/subjects/tool-call-rung.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('parts of a tool call');

const times: Readonly<Record<Rung, number>> = {
  http: 100,
  hono: 130,
  mcp: 230,
  checked: 250,
  hop: 300,
  wire_plain: 400,
  wire: 470,
  memory: 520,
  disk: 900,
  service: 950,
};
const timeOf = (rung: Rung): number => times[rung];
const sum = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((total, part) => total + part, 0);

test('each part is what one rung takes beyond the one below, and together they are the whole', () => {
  const parts = partsOf(
    ladderOf('submit_remote', () => true),
    timeOf,
  );
  assert.equal(parts, {
    part_http: 100,
    part_hono: 30,
    part_mcp: 100,
    part_validation: 20,
    part_hop: 50,
    part_wire: 100,
    part_noise: 70,
    part_queue: 50,
    part_fsync: 380,
    not_explained: 50,
  });
  assert.is(sum(parts), times.service);
});

test('a local call has no wire', () => {
  const ladder = ladderOf('submit_local', () => true);
  assert.is(ladder.includes('wire'), false);
  assert.is(partsOf(ladder, timeOf).part_queue, times.memory - times.hop);
});

test('where no data can lie in memory, syncing to disk counts to the queue', () => {
  const parts = partsOf(
    ladderOf('submit_local', (rung) => rung !== 'memory'),
    timeOf,
  );
  assert.is(parts.part_queue, times.disk - times.hop);
  assert.is('part_fsync' in parts, false);
  assert.is(sum(parts), times.service);
});

test.run();
