/** Progress on a stream: never faster than it is read, never backwards, never after the result. */

import * as assert from 'uvu/assert';
import { asksForProgress, ProgressFlow } from '../../src/server/progress.ts';
import { suite } from '../tooling/suite.ts';

const flow = suite('progress flow');

flow('the first is sent at once, those that the reader is too slow for give way to the newest', () => {
  const sent: string[] = [];
  const stream = new ProgressFlow();
  const offer = (text: string): void => stream.offer('t', () => sent.push(text));
  for (const text of ['1', '2', '3', '4']) offer(text);
  assert.equal(sent, ['1']);
  stream.want();
  assert.equal(sent, ['1', '4']);
  stream.want();
  offer('5');
  assert.equal(sent, ['1', '4', '5']);
});

flow('a chunk of something else on its way holds progress back', () => {
  const sent: string[] = [];
  const stream = new ProgressFlow();
  stream.want();
  stream.fed();
  stream.offer('t', () => sent.push('late'));
  assert.equal(sent, []);
  stream.want();
  assert.equal(sent, ['late']);
});

flow('what waits for the reader is forgotten when its call ends, and only that', () => {
  const sent: string[] = [];
  const stream = new ProgressFlow();
  stream.offer('a', () => sent.push('a1'));
  stream.offer('a', () => sent.push('a2'));
  stream.offer('b', () => sent.push('b1'));
  stream.forget('a');
  stream.want();
  assert.equal(sent, ['a1', 'b1']);
});

flow('is needed only when a message has a token', () => {
  const withToken = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { _meta: { progressToken: 0 } } };
  assert.ok(asksForProgress(withToken));
  assert.ok(asksForProgress([{}, withToken]));
  for (const body of [null, 1, 'x', [], {}, { params: null }, { params: { _meta: null } }]) {
    assert.not(asksForProgress(body), JSON.stringify(body));
  }
});

flow.run();
