import * as assert from 'uvu/assert';
import { type EncodedMessage, largeFrameBytes } from '../../src/rpc/frames.ts';
import type { RpcMessage, RpcParams } from '../../src/rpc/message.ts';
import { Outbox, type OutboxOptions } from '../../src/rpc/outbox.ts';
import { suite } from '../tooling/suite.ts';

const notification = (method: string, params: RpcParams): RpcMessage => ({ jsonrpc: '2.0', method, params });
const request = (id: number, bytes = 0): RpcMessage => ({
  jsonrpc: '2.0',
  id,
  method: 'x',
  params: { bulk: 'x'.repeat(bytes) },
});
const progress = (progressToken: number, step: number): RpcMessage =>
  notification('notifications/progress', { progressToken, step });

/** A stream that takes a batch when the test says so. */
class Scene {
  readonly outbox: Outbox;
  #batch: readonly EncodedMessage[] = [];
  #done: (() => void) | undefined;

  constructor(options: Pick<OutboxOptions, 'maxTogether'> = {}) {
    this.outbox = new Outbox({
      ...options,
      maxFrameBytes: 4 * largeFrameBytes,
      write: (batch, done) => {
        assert.is(this.#done, undefined, 'one batch at a time');
        this.#batch = batch;
        this.#done = done;
      },
    });
  }

  /** The batch that is being written; then the stream takes it. */
  async next(): Promise<unknown[]> {
    await new Promise((resolve) => setImmediate(resolve));
    const texts = this.#batch.map(({ text }) => JSON.parse(text) as { id?: number; params: RpcParams });
    const done = this.#done;
    this.#batch = [];
    this.#done = undefined;
    done?.();
    return texts.map(({ id, params }) => id ?? (params.requestId ? `cancel ${params.requestId}` : params.step));
  }
}

const outbox = suite('messages on their way out');

outbox('small ones pass the large ones that wait, which go one at a time', async () => {
  const bench = new Scene();
  for (const id of [1, 2]) bench.outbox.add(request(id, largeFrameBytes));
  assert.equal(await bench.next(), [1]);
  bench.outbox.add(request(3, largeFrameBytes));
  for (const id of [4, 5]) bench.outbox.add(request(id));
  assert.equal(await bench.next(), [2]);
  assert.equal(await bench.next(), [4, 5]);
  assert.equal(await bench.next(), [3]);
  assert.is(bench.outbox.bytes, 0);
});

outbox('as many as go together are written at once, the others when their tick ends', async () => {
  const batches: number[] = [];
  const eager = new Outbox({
    maxFrameBytes: largeFrameBytes,
    maxTogether: 3,
    write: (batch, done) => {
      batches.push(batch.length);
      done();
    },
  });
  for (const id of [1, 2, 3, 4, 5, 6, 7, 8]) eager.add(request(id));
  assert.equal(batches, [3, 3]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(batches, [3, 3, 2]);
});

outbox('however many go together, a batch waits until the one before was taken', async () => {
  const bench = new Scene({ maxTogether: 2 });
  for (const id of [1, 2, 3, 4, 5]) bench.outbox.add(request(id));
  assert.equal(await bench.next(), [1, 2]);
  assert.equal(await bench.next(), [3, 4, 5]);
  assert.is(bench.outbox.bytes, 0);
});

outbox('a large one goes in its turn, however many small ones keep coming', async () => {
  const bench = new Scene();
  bench.outbox.add(request(1));
  await new Promise((resolve) => setImmediate(resolve));
  bench.outbox.add(request(2, largeFrameBytes));
  bench.outbox.add(request(3));
  assert.equal(await bench.next(), [1]);
  bench.outbox.add(request(4));
  assert.equal(await bench.next(), [2]);
  assert.equal(await bench.next(), [3, 4]);
});

outbox('a cancellation stays behind the large request that it is about, and passes others', async () => {
  const bench = new Scene();
  const cancel = (requestId: number): RpcMessage => notification('notifications/cancelled', { requestId });
  for (const id of [1, 2, 3]) bench.outbox.add(request(id, largeFrameBytes));
  assert.equal(await bench.next(), [1]);
  for (const id of [3, 1]) bench.outbox.add(cancel(id));
  const order = [];
  for (let batch = 0; batch < 4; batch++) order.push(...(await bench.next()));
  assert.equal(order, [2, 'cancel 1', 3, 'cancel 3']);
});

outbox(
  'while the far side reads slowly, only the newest progress of a call waits, and it comes before the answer',
  async () => {
    const bench = new Scene();
    bench.outbox.add(progress(1, 10));
    assert.equal(await bench.next(), [10]);
    bench.outbox.add(request(9));
    await bench.next();
    bench.outbox.add(request(8));
    await new Promise((resolve) => setImmediate(resolve));
    const before = bench.outbox.bytes;
    for (let step = 11; step < 1_000; step++) bench.outbox.add(progress(1, step));
    bench.outbox.add(progress(2, 50));
    bench.outbox.add({ jsonrpc: '2.0', id: 1, result: {} });
    assert.ok(bench.outbox.bytes < before + 1_000);
    assert.equal(await bench.next(), [8]);
    assert.equal(await bench.next(), [999, 50, 1]);
    assert.is(bench.outbox.bytes, 0);
  },
);

outbox('what was not written yet is handed over whole at the end', async () => {
  const bench = new Scene();
  bench.outbox.add(request(1, largeFrameBytes));
  await new Promise((resolve) => setImmediate(resolve));
  bench.outbox.add(request(2, largeFrameBytes));
  bench.outbox.add(request(3));
  assert.equal(
    bench.outbox.takeAll().map(({ text }) => (JSON.parse(text) as { id: number }).id),
    [3, 2],
  );
  assert.is(bench.outbox.bytes, 0);
});

outbox.run();
