import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pack, unpack } from '../../src/bridge/packed.ts';
import { deadlineKey, progressTokenKey, type RpcMessage } from '../../src/rpc/message.ts';
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
    fc.property(fc.array(fc.oneof(request, result, failure, notification)), (messages) => {
      const out: unknown[] = [];
      unpack(structuredClone(pack(messages)), (message) => out.push(message));
      assert.equal(out, structuredClone(messages));
    }),
    { seed, numRuns: 2_000 },
  );
});

test('what is no packed list is handed over for the endpoint to refuse', () => {
  const out: unknown[] = [];
  unpack('garbage', (message) => out.push(message));
  assert.equal(out, ['garbage']);
});

test.run();
