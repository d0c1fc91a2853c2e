import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pack, packOne, unpack } from '../../src/bridge/packed.ts';
import { deadlineKey, kindOf, progressTokenKey, type RpcMessage, type RpcRequest } from '../../src/rpc/message.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('packed messages');

const id = fc.oneof(fc.nat(), fc.string());
const params = fc.dictionary(
  fc.string().filter((key) => key !== '_meta' && key !== '__proto__'),
  fc.jsonValue(),
);

/** As the endpoint makes them, and with foreign keys in `_meta`. */
const request = fc
  .record({ id, method: fc.string(), params, deadlineMs: fc.nat(), progress: fc.boolean(), foreign: fc.boolean() })
  .map(({ deadlineMs, progress, foreign, ...rest }): RpcMessage => {
    const _meta: Record<string, unknown> = { [deadlineKey]: deadlineMs };
    if (progress) _meta[progressTokenKey] = rest.id;
    if (foreign) _meta.other = true;
    return { jsonrpc: '2.0', ...rest, params: { ...rest.params, _meta } };
  });
/** As they cross the bridge. */
const call = fc.tuple(request, fc.jsonValue()).map(([message, input]): RpcMessage => {
  const { _meta } = (message as RpcRequest).params;
  return { ...(message as RpcRequest), params: { input, ...(_meta === undefined ? {} : { _meta }) } };
});
const result = fc.record({ jsonrpc: fc.constant('2.0' as const), id, result: fc.jsonValue() });
const failure = fc.record({
  jsonrpc: fc.constant('2.0' as const),
  id,
  error: fc.record({ code: fc.integer(), message: fc.string() }),
});
const notification = fc.record({ jsonrpc: fc.constant('2.0' as const), method: fc.string(), params });

test('whatever is packed comes out as it was, in its order, after crossing as a structured clone', () => {
  const seed = Date.now();
  console.log(`seed ${seed}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(request, call, result, failure, notification), { minLength: 1 }), (messages) => {
      const out: unknown[] = [];
      unpack(structuredClone(pack(messages)), (message) => out.push(message));
      assert.equal(out, structuredClone(messages));
    }),
    { seed, numRuns: 2_000 },
  );
});

test('a message alone comes out as it was, after crossing as JSON', () => {
  const seed = Date.now();
  console.log(`seed ${seed}`);
  fc.assert(
    fc.property(fc.oneof(request, call, result, failure, notification), (message) => {
      const out: unknown[] = [];
      unpack(JSON.parse(JSON.stringify(packOne(message))), (each) => out.push(each));
      assert.equal(out, [JSON.parse(JSON.stringify(message))]);
    }),
    { seed, numRuns: 2_000 },
  );
});

test('calls and results go without their envelopes, everything else as it is', () => {
  const input = { task_id: 't' };
  const plain: RpcMessage = { jsonrpc: '2.0', id: 3, method: 'wait', params: { input, _meta: { [deadlineKey]: 5 } } };
  assert.equal(packOne(plain), [0, 3, 'wait', input, 5, false]);
  assert.equal(packOne({ jsonrpc: '2.0', id: 3, result: { done: true } }), [1, 3, { done: true }]);
  const hello: RpcMessage = { jsonrpc: '2.0', id: 1, method: 'bridge/hello', params: { oldest: 2, newest: 2 } };
  assert.is(packOne(hello), hello);
});

test('what is no packed list is handed over for the endpoint to refuse', () => {
  const out: unknown[] = [];
  for (const given of ['garbage', []]) unpack(given, (message) => out.push(message));
  assert.equal(out, ['garbage', []]);
  // What is cut short or of a kind that is not known comes out as nothing that is a message.
  for (const given of [[9, 1], [2], [0], [[]]]) unpack(given, (message) => assert.is(kindOf(message), undefined));
});

test.run();
