import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import * as assert from 'uvu/assert';
import { Credentials } from '../../../src/p2p/trust/credentials.ts';
import type { TrustBook } from '../../../src/p2p/trust/trust-book.ts';
import type { PeerEntry } from '../../../src/trust/entries.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';
import { entryOf } from './support.ts';

/** A node's credentials, with as much of a book as they look at. */
async function nodeWith(peers: PeerEntry[]) {
  const privateKey = await generateKeyPair('Ed25519');
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const taken: string[] = [];
  const book = {
    peers,
    mayIntroduce: () => true,
    revokedBy: async ({ peer_id }: { peer_id: string }) => void taken.push(peer_id),
  } as unknown as TrustBook;
  return { peerId, taken, credentials: new Credentials({ peerId, privateKey, book, clock: new FakeClock() }) };
}

const credentials = suite('what is shown to others');

credentials('revocations are looked at once, however often they are shown; new ones are looked at', async () => {
  const peers = Array.from({ length: 20 }, (_, index) => entryOf(`peer${index}`, {}, { revoked_at: index + 1 }));
  const issuer = await nodeWith(peers);
  const other = await nodeWith([]);
  for (let hellos = 0; hellos < 3; hellos++)
    await other.credentials.considerRevocations(await issuer.credentials.ownRevocations(), issuer.peerId);
  assert.equal([...other.taken].sort(), peers.map(({ peer_id }) => peer_id).sort());
  peers.push(entryOf('late', {}, { revoked_at: 99 }));
  await other.credentials.considerRevocations(await issuer.credentials.ownRevocations(), issuer.peerId);
  assert.equal(other.taken.slice(20), ['late']);
});

credentials('what one peer has shown counts nothing for what its issuer shows', async () => {
  const issuer = await nodeWith([entryOf('a', {}, { revoked_at: 1 })]);
  const other = await nodeWith([]);
  const shown = await issuer.credentials.ownRevocations();
  await other.credentials.considerRevocations(shown, 'somebody else');
  assert.equal(other.taken, []);
  await other.credentials.considerRevocations(shown, issuer.peerId);
  assert.equal(other.taken, ['a']);
});

credentials.run();
