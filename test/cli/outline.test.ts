import * as assert from 'uvu/assert';
import { outline } from '../../src/cli/table.ts';
import { suite } from '../tooling/suite.ts';

const outlines = suite('data as an outline');

outlines('fields stand below each other, nested ones beside their name, lists an entry a line', () => {
  const text = outline({ stored_bytes: 5, cache: { entries: 1, bytes: 20 }, protocols: ['one', 'two'] });
  assert.is(
    text,
    [
      'stored bytes  5',
      'cache         entries  1',
      '              bytes    20',
      'protocols     one',
      '              two',
    ].join('\n'),
  );
});

outlines('entries with fields have a line between them', () => {
  assert.is(outline([{ a: 1, b: null }, { a: 2 }]), 'a  1\nb  null\n\na  2');
});

outlines('what is empty is left out', () => {
  assert.is(outline({ peers: [], refusals: {}, nested: { none: [] }, waiters: 0 }), 'waiters  0');
  assert.is(outline({}), '');
});

outlines('names and texts from elsewhere cannot steer the terminal', () => {
  assert.not.match(outline({ 'a\u001b[2J': '\u001b[31mred' }) ?? '', '\u001b');
});

outlines.run();
