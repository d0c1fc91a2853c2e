import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import type { Channel, ChannelEvents } from '../../src/rpc/channel.ts';
import { Endpoint } from '../../src/rpc/endpoint.ts';
import type { EncodedMessage } from '../../src/rpc/frames.ts';
import { Outbox } from '../../src/rpc/outbox.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const unsent = suite('requests that had not been sent');

unsent('an outbox knows which requests it has not handed over', async () => {
  const batches: (readonly EncodedMessage[])[] = [];
  let done = (): void => {};
  const outbox = new Outbox({
    maxFrameBytes: 1_000_000,
    write(batch, next) {
      batches.push(batch);
      done = next;
    },
  });
  const request = (id: number, text = '') => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { text } }) as const;
  outbox.add(request(1));
  outbox.add(request(2, 'x'.repeat(200_000)));
  assert.equal([...outbox.unsent()], [1, 2]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal([...outbox.unsent()], [2]);
  outbox.add(request(3));
  outbox.add({ jsonrpc: '2.0', id: 9, result: {} });
  outbox.add({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  assert.equal([...outbox.unsent()].sort(), [2, 3], 'answers and notices are nobody’s to send again');
  done();
  assert.equal([...outbox.unsent()], [3]);
});

unsent('an endpoint whose channel ends tells sent requests from those that were not', async () => {
  let events: ChannelEvents | undefined;
  const channel: Channel = {
    open(given) {
      events = given;
    },
    post() {},
    bufferedBytes: 0,
    close() {},
  };
  const endpoint = new Endpoint(channel, {
    clock: new FakeClock(),
    maxInFlight: 10,
    maxBufferedBytes: 1_000,
    handle: async () => ({}),
    closedError: (_cause, isUnsent) => new MeshError('peer_unreachable', isUnsent ? 'unsent' : 'sent'),
  });
  const calls = [1, 2].map(() => endpoint.request('x', {}, { deadlineMs: 1_000 }).catch((error) => error.message));
  events?.closed(undefined, new Set([2]));
  assert.equal(await Promise.all(calls), ['sent', 'unsent']);
  assert.is(await endpoint.request('x', {}, { deadlineMs: 1_000 }).catch((error) => error.message), 'unsent');
});

unsent.run();
