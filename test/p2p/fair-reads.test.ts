import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fairReads } from '../../src/p2p/fair-reads.ts';

/** The part of a connection that reading in slices touches. */
class Wire extends EventTarget {
  readStatus: 'readable' | 'paused' | 'closed' = 'readable';

  pause(): void {
    if (this.readStatus === 'closed') throw new Error('nothing can be read');
    this.readStatus = 'paused';
  }

  resume(): void {
    if (this.readStatus === 'closed') throw new Error('nothing can be read');
    this.readStatus = 'readable';
  }

  arrive(bytes: number): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: new Uint8Array(bytes) }));
  }
}

const encrypter = {
  protocol: '/test',
  secureInbound: async (connection: MessageStream) => ({ connection }),
  secureOutbound: async (connection: MessageStream) => ({ connection }),
} as unknown as ConnectionEncrypter;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const reads = suite('reading in slices');

for (const way of ['secureInbound', 'secureOutbound'] as const) {
  reads(`${way}: a connection is read a part at a time`, async () => {
    const wire = new Wire();
    await fairReads(() => encrypter, setImmediate)({})[way](wire as unknown as MessageStream);
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'readable');
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'paused');
    await turn();
    assert.is(wire.readStatus, 'readable');
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'readable', 'each turn has a slice of its own');
  });
}

reads('a connection that ends while it is paused is left alone', async () => {
  const wire = new Wire();
  await fairReads(() => encrypter, setImmediate)({}).secureInbound(wire as unknown as MessageStream);
  wire.arrive(1024 * 1024);
  wire.readStatus = 'closed';
  await turn();
  assert.is(wire.readStatus, 'closed');
});

reads.run();
