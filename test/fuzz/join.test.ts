/**
 * The join protocol at the level of its stream, with a real trust folder behind it: whatever a stranger sends, the stream ends,
 * nothing is left of it, and nobody is let in.
 */

import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import * as assert from 'uvu/assert';
import { defaultGrant } from '../../src/mesh/grant.ts';
import { Credentials } from '../../src/p2p/trust/credentials.ts';
import { Reception } from '../../src/p2p/trust/reception.ts';
import { Refusals } from '../../src/p2p/trust/refusals.ts';
import { memberships, revocations, seal } from '../../src/p2p/trust/statement.ts';
import { TrustBook } from '../../src/p2p/trust/trust-book.ts';
import { hashOfSecret, newTicketId, newTicketSecret } from '../../src/trust/ticket.ts';
import { TrustFolder } from '../../src/trust/trust-folder.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { feedAll, mutatedFrames, randomFrames, seed } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';
import { MemoryStream } from './memory-stream.ts';

const test = suite('fuzzed join protocol');
console.log(`seed ${seed}`);

const deadlineMs = 5_000;

interface Door extends AsyncDisposable {
  /** What a stranger without a good ticket may send. */
  readonly messages: readonly object[];
  feed(frames: readonly Uint8Array[]): Promise<void>;
  /** Fails unless everything is as before. */
  unchanged(): Promise<void>;
}

async function openDoor(): Promise<Door> {
  const folder = await tempFolder();
  const clock = new FakeClock();
  const [own, stranger] = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')];
  const [peerId, strangerId] = [peerIdFromPrivateKey(own), peerIdFromPrivateKey(stranger)];
  const trust = new TrustFolder(folder.path);
  const book = new TrustBook({ folder: trust, clock, openGrant: undefined });
  await book.open();
  const id = newTicketId();
  await trust.tickets.put({
    id,
    secret_hash: hashOfSecret(newTicketSecret()),
    created_at: 1,
    expires_at: clock.nowMs() / 1000 + 1e9,
    once: true,
    label: '',
    grant: defaultGrant,
  });
  const refusals = new Refusals(clock);
  const credentials = new Credentials({ peerId: peerId.toString(), privateKey: own, book, clock });
  const reception = new Reception({ peerId: peerId.toString(), book, credentials, refusals, clock, deadlineMs });
  const connection = { remotePeer: strangerId } as Connection;
  const about = { version: 1 as const, issuer: strangerId.toString(), peer_id: strangerId.toString() };
  const membership = { ...about, grant: defaultGrant, issued_at: 1, expires_at: clock.nowMs() / 1000 + 1e9 };
  return {
    messages: [
      { type: 'join', ticket: id, secret: Buffer.from(newTicketSecret()).toString('base64url') },
      { type: 'join', ticket: `../tickets/${id}`, secret: '' },
      { type: 'hello', memberships: [], revocations: [] },
      { type: 'hello', memberships: [await seal(memberships, membership, stranger)], revocations: [] },
      { type: 'hello', revocations: [await seal(revocations, { ...about, revoked_at: 1 }, stranger)] },
    ],
    async feed(frames) {
      const served = frames.map((frame) => {
        const stream = new MemoryStream();
        const done = reception.receive(stream.asStream(), connection);
        stream.arrive(frame);
        return { stream, done };
      });
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(deadlineMs);
      for (const { stream, done } of served) {
        assert.is(await done, false, 'nobody is let in');
        assert.is.not(stream.status, 'open');
        for (const answer of stream.sent) assert.is((answer as { ok: boolean }).ok, false);
      }
      assert.is(clock.pendingTimers, 0, 'no timer is left');
    },
    async unchanged() {
      assert.equal(book.peers, []);
      assert.equal([...(await trust.tickets.all()).entries.keys()], [id]);
    },
    async [Symbol.asyncDispose]() {
      book[Symbol.dispose]();
      await folder.remove();
    },
  };
}

for (const [kind, framesOf] of [
  ['random', () => randomFrames()],
  ['mutated', ({ messages }: Door) => mutatedFrames(messages)],
] as const) {
  test(`100,000 ${kind} frames: no crash, no growth, no hang, nobody let in`, async () => {
    await using door = await openDoor();
    const frames = framesOf(door);
    await withoutGrowth(
      () => feedAll(frames, door.feed, 2_000),
      () => feedAll(frames, door.feed),
    );
    await door.unchanged();
  });
}

test.run();
