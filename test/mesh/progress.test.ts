import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import { progressNotifier, progressOf } from '../../src/mesh/progress.ts';
import { suite } from '../tooling/suite.ts';

const running = { task_id: 'x', status: 'running', attempt: 1 } as const;

const progress = suite('progress notifications');

progress('numbers only grow, whatever the worker reports', () => {
  const notes = fc.oneof(
    fc.double(),
    fc.record({ done: fc.integer({ min: -100, max: 100 }), of: fc.integer({ min: -100, max: 100 }) }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.array(notes, { maxLength: 50 }), (reported) => {
      const paramsOf = progressNotifier();
      let last = 0;
      for (const note of reported) {
        const params = paramsOf({ ...running, progress: note });
        assert.ok(params.progress > last, `${params.progress} after ${last}`);
        if (params.total !== undefined) assert.ok(params.total >= params.progress);
        assert.ok(params.message.length < 300);
        last = params.progress;
      }
    }),
  );
});

progress('the whole of what was reported comes out at the other end, and nothing of what is foreign', () => {
  const sent = { ...running, progress: { done: 2, of: 3, note: 'half' } };
  assert.equal(progressOf(progressNotifier()(sent)), sent);
  for (const foreign of [{}, { _meta: {} }, { _meta: { 'taskmesh/progress': 7 } }])
    assert.is(progressOf(foreign), undefined);
});

progress.run();
