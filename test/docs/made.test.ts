import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { makeDocs } from '../../docs/make.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('made pages');

for (const [path, text] of makeDocs()) {
  test(`${path} says what the tables in the code say`, () => {
    const now = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
    assert.ok(now === text, `${path} is out of date: run "npm run docs".`);
  });
}

test.run();
