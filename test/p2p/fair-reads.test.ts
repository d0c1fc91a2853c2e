import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface';
import * as assert from 'uvu/assert';
import { fairReads } from '../../src/p2p/fair-reads.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

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

/** An encrypter that decrypts nothing: it tells what it was given, each piece of which takes time by the clock. */
function scene(msPerKiB = 0) {
  const clock = new FakeClock();
  const wire = new Wire();
  const got: number[] = [];
  const secure = async (connection: MessageStream) => {
    connection.addEventListener('message', ({ data }) => {
      got.push(data.byteLength);
      clock.advance((data.byteLength / 1024) * msPerKiB);
    });
    return { connection, remotePeer: 'peer' };
  };
  const encrypter = { protocol: '/test', secureInbound: secure, secureOutbound: secure };
  const create = fairReads(() => encrypter as unknown as ConnectionEncrypter, {
    inTurn: setImmediate,
    clock,
  });
  const total = (): number => got.reduce((sum, bytes) => sum + bytes, 0);
  return { wire, got, total, encrypter: create({}), connection: wire as unknown as MessageStream };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const reads = suite('reading in slices');

for (const way of ['secureInbound', 'secureOutbound'] as const) {
  reads(`${way}: a connection is read a part at a time`, async () => {
    const { wire, total, encrypter, connection } = scene();
    await encrypter[way](connection);
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'readable');
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'paused');
    assert.is(total(), 128 * 1024);
    await turn();
    assert.is(wire.readStatus, 'readable');
    wire.arrive(64 * 1024);
    assert.is(wire.readStatus, 'readable', 'each turn has a slice of its own');
  });
}

reads('bytes that cost much are handed on for a millisecond a turn, in order and to the last one', async () => {
  const { wire, got, total, encrypter, connection } = scene(1);
  await encrypter.secureInbound(connection);
  wire.arrive(64 * 1024);
  assert.ok(total() <= 24 * 1024, `${total()} bytes in the first turn`);
  assert.is(wire.readStatus, 'paused');
  for (let turns = 0; turns < 4; turns++) await turn();
  got.length = 0;
  await turn();
  assert.ok(total() > 0 && total() <= 2 * 1024, `${total()} bytes in a later turn`);
  for (let turns = 0; turns < 80 && wire.readStatus === 'paused'; turns++) await turn();
  assert.is(wire.readStatus, 'readable');
});

reads('a connection that takes little time is not made to wait', async () => {
  const { wire, encrypter, connection } = scene(1);
  await encrypter.secureInbound(connection);
  for (let messages = 0; messages < 5; messages++) {
    wire.arrive(2 * 1024);
    assert.is(wire.readStatus, 'readable');
  }
});

reads(
  'what was read before a connection ended is handed on before its end; what came before a break is not',
  async () => {
    for (const broken of [false, true]) {
      const { wire, total, encrypter, connection } = scene(1);
      await encrypter.secureInbound(connection);
      wire.arrive(64 * 1024);
      const before = total();
      wire.readStatus = 'closed';
      wire.dispatchEvent(Object.assign(new Event('close'), broken ? { error: new Error('broken') } : {}));
      assert.is(total(), broken ? before : 64 * 1024);
      await turn();
      assert.is(wire.readStatus, 'closed', 'and it is left alone');
    }
  },
);

reads.run();
