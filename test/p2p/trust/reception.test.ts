import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import * as assert from 'uvu/assert';
import { Credentials } from '../../../src/p2p/trust/credentials.ts';
import { Reception } from '../../../src/p2p/trust/reception.ts';
import { Refusals } from '../../../src/p2p/trust/refusals.ts';
import { TrustBook } from '../../../src/p2p/trust/trust-book.ts';
import { encodeFrames, encodeMessage } from '../../../src/rpc/frames.ts';
import { TrustFolder } from '../../../src/trust/trust-folder.ts';
import { MemoryStream } from '../../fuzz/memory-stream.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { suite } from '../../tooling/suite.ts';
import { entryOf } from './support.ts';

const reception = suite('reception');

/** A node's door with a book that has heard of no change yet: it is not told of changes until it is opened. */
async function openDoor() {
  const folder = await tempFolder();
  const clock = new FakeClock();
  const [privateKey, guest] = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')];
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const remotePeer = peerIdFromPrivateKey(guest);
  const book = new TrustBook({ folder: new TrustFolder(folder.path), clock, openGrant: undefined });
  const credentials = new Credentials({ peerId, privateKey, book, clock });
  const refusals = new Refusals(clock);
  const door = new Reception({ peerId, book, credentials, refusals, clock, deadlineMs: 1_000 });
  return {
    book,
    guest: remotePeer.toString(),
    /** What the guest hears when it says hello. */
    async hello(): Promise<{ ok: boolean; details?: { cause?: string } }> {
      const stream = new MemoryStream();
      const done = door.receive(stream.asStream(), { remotePeer } as Connection);
      stream.arrive(encodeFrames([encodeMessage({ type: 'hello' }, 1_000)]));
      await done;
      return stream.sent[0] as { ok: boolean };
    },
    async [Symbol.asyncDispose]() {
      book[Symbol.dispose]();
      await folder.remove();
    },
  };
}

reception('a peer that was listed a moment ago is served, although the node has not heard of it yet', async () => {
  await using door = await openDoor();
  assert.is((await door.hello()).ok, false);
  await door.book.folder.peers.put(entryOf(door.guest));
  assert.is((await door.hello()).ok, true);
  assert.ok(door.book.serves(door.guest));
});

reception('a peer that was let in again a moment ago is served, and one that was shut out hears that', async () => {
  await using door = await openDoor();
  await door.book.list(entryOf(door.guest, {}, { revoked_at: 1 }));
  assert.is((await door.hello()).details?.cause, 'revoked');
  await door.book.folder.peers.put(entryOf(door.guest));
  assert.is((await door.hello()).ok, true);
});

reception('knocking changes nothing for a peer whose entry is as it was', async () => {
  await using door = await openDoor();
  await door.book.list(entryOf(door.guest, {}, { revoked_at: 1 }));
  let changes = 0;
  door.book.onChange(() => changes++);
  await door.hello();
  assert.is(changes, 0);
});

reception.run();
