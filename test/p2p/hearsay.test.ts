import { readFile, stat, writeFile } from 'node:fs/promises';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import type { OperationOutput } from '../../src/mesh/operations.ts';
import { carriageProtocol } from '../../src/p2p/carriage.ts';
import { exchangeProtocol } from '../../src/p2p/discovery/peer-exchange.ts';
import { openRecord, sealRecord } from '../../src/p2p/discovery/signed-record.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { connect, failureOf, rawHost, startNode, type TestNode, until } from './support.ts';

type Attempts = OperationOutput<'discover'>['attempts'];

async function discovered({ mesh }: TestNode): Promise<Attempts> {
  return (await mesh.call('discover', { timeout_s: 5 })).attempts;
}

/** What one way of finding others told, as method, outcome and peer. */
function told(attempts: Attempts, method: Attempts[number]['method']): [string, string][] {
  return attempts.filter((each) => each.method === method).map(({ outcome, peer_id }) => [outcome, peer_id]);
}

async function connectedTo(node: TestNode, peerId: string): Promise<boolean> {
  const { peers } = await node.mesh.call('peers', { connected_only: true });
  return peers.some(({ peer_id }) => peer_id === peerId);
}

const hearsay = suite('peers heard of');

hearsay('a node hears of a third one from the peer that both are connected with, and connects to it', async () => {
  await using b = await startNode();
  await using c = await startNode({ bootstrap: [b.address] });
  await until(() => connectedTo(b, c.peerId));
  await using a = await startNode({ bootstrap: [b.address] });
  await until(() => connectedTo(a, c.peerId));
  const attempts = await discovered(a);
  assert.ok(told(attempts, 'peer_exchange').some(([outcome, id]) => outcome === 'connected' && id === c.peerId));
  const { peers } = await a.mesh.call('peers', {});
  assert.ok(peers.find(({ peer_id }) => peer_id === c.peerId)?.found_by.includes('peer_exchange'));
});

hearsay('a node finds another one through the DHT of a third', async () => {
  await using b = await startNode({ dht: true });
  await using c = await startNode({ bootstrap: [b.address], dht: true });
  await until(() => connectedTo(b, c.peerId));
  await using a = await startNode({ bootstrap: [b.address], dht: true });
  await until(async () =>
    told(await discovered(a), 'dht').some(([outcome, id]) => outcome === 'connected' && id === c.peerId),
  );
  const { peers } = await a.mesh.call('peers', {});
  assert.ok(peers.find(({ peer_id }) => peer_id === c.peerId)?.found_by.includes('dht'));
});

hearsay('nodes of another mesh are not what the DHT is asked for, and a node alone in it is told so', async () => {
  await using b = await startNode({ dht: true });
  await using a = await startNode({ bootstrap: [b.address], dht: true });
  await using alone = await startNode({ dht: true });
  await until(() => connectedTo(a, b.peerId));
  const [row] = (await discovered(alone)).filter(({ method }) => method === 'dht');
  assert.equal([row?.outcome, row?.error], ['nothing', 'No connected peer takes part in the DHT.']);
});

hearsay('a node remembers whom it met, and finds them again when its bootstrap node is gone', async () => {
  await using folder = await tempFolder();
  await using c = await startNode();
  await using b = await startNode({ bootstrap: [c.address] });
  await until(() => connectedTo(b, c.peerId));
  const first = await startNode({ dataFolder: folder.path, bootstrap: [b.address] });
  await until(async () => (await connectedTo(first, c.peerId)) && (await connectedTo(first, b.peerId)));
  // Met is whom identify has told of.
  await until(async () => (await first.mesh.call('peers', {})).peers.every(({ agent }) => agent !== null));
  await first.node.stop();
  assert.is((await stat(folder.file('peers.json'))).mode & 0o777, 0o600);
  await b.node.stop();
  await using again = await startNode({ dataFolder: folder.path });
  await until(() => connectedTo(again, c.peerId));
  const attempts = await discovered(again);
  assert.ok(told(attempts, 'peer_store').some(([outcome, id]) => outcome === 'connected' && id === c.peerId));
  assert.ok(told(attempts, 'peer_store').some(([outcome, id]) => outcome === 'failed' && id === b.peerId));
});

hearsay('a damaged memory is left out, and written anew', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('peers.json'), '{"peers": [{"peer_id": 7}]}');
  await using b = await startNode();
  const a = await startNode({ dataFolder: folder.path });
  assert.equal(told(await discovered(a), 'peer_store'), [['nothing', '']]);
  await connect(a, b);
  await a.node.stop();
  assert.match(await readFile(folder.file('peers.json'), 'utf8'), b.peerId);
});

const records = suite('signed records');

records('a record says where its signer is', async () => {
  const key = await generateKeyPair('Ed25519');
  const id = peerIdFromPrivateKey(key).toString();
  const envelope = await sealRecord(key, [
    multiaddr(`/ip4/10.1.2.3/tcp/4001/p2p/${id}`),
    multiaddr('/ip4/10.1.2.3/udp/1'),
  ]);
  const { peerId, addresses } = await openRecord(envelope);
  assert.equal([peerId, addresses.map(String)], [id, [`/ip4/10.1.2.3/tcp/4001/p2p/${id}`]]);
});

/** A record about somebody whose key its writer does not have. */
async function lyingRecord(about: string): Promise<Uint8Array> {
  const liar = await generateKeyPair('Ed25519');
  const multiaddrs = [multiaddr('/ip4/127.0.0.1/tcp/9')];
  return (await RecordEnvelope.seal(new PeerRecord({ peerId: peerIdFromString(about), multiaddrs }), liar)).marshal();
}

records(
  'a record that its peer has not signed is refused, and one that was changed is, unless it says the same',
  async () => {
    const victim = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString();
    const lie = await failureOf(openRecord(await lyingRecord(victim)));
    assert.is(lie.code, 'peer_protocol_error');
    const key = await generateKeyPair('Ed25519');
    const envelope = await sealRecord(key, [multiaddr('/ip4/10.1.2.3/tcp/4001')]);
    const { peerId: signer, addresses: signed } = await openRecord(envelope);
    const meant = [signer, signed.map(String)];
    for (let at = 0; at < envelope.byteLength; at++) {
      const changed = Uint8Array.from(envelope);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const said = await openRecord(changed).then(
        ({ peerId, addresses }) => [peerId, addresses.map(String)],
        ({ code }) => code,
      );
      // Some bits of the encoding mean nothing.
      if (said !== 'peer_protocol_error') assert.equal(said, meant, `byte ${at}`);
    }
  },
);

records('a peer that lies about where another one is sends nobody there, and the trace says so', async () => {
  await using a = await startNode();
  await using liar = await rawHost();
  const victim = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString();
  const envelope = Buffer.from(await lyingRecord(victim)).toString('base64');
  await liar.handle(exchangeProtocol, async (stream) => {
    stream.send(new TextEncoder().encode(JSON.stringify({ records: [envelope] })));
    await stream.close();
  });
  // It passes for a node of the mesh.
  await liar.handle(carriageProtocol, () => {});
  const liarId = liar.peerId.toString();
  await a.mesh.call('connect', { remote_multiaddr: `${liar.getMultiaddrs()[0]}` });
  await until(async () => told(await discovered(a), 'peer_exchange').some(([outcome]) => outcome === 'failed'));
  const [row] = (await discovered(a)).filter(({ method }) => method === 'peer_exchange');
  assert.equal([row?.peer_id, row?.outcome, row?.error.split(':')[0]], [liarId, 'failed', 'peer_protocol_error']);
  const { peers } = await a.mesh.call('peers', {});
  assert.not.ok(peers.some(({ peer_id }) => peer_id === victim));
});

records('a peer that tells too much, nothing readable, or nothing at all is refused in time', async () => {
  await using a = await startNode();
  for (const answer of ['x'.repeat(600_000), '{"records": 7}', '']) {
    await using odd = await rawHost();
    await odd.handle(exchangeProtocol, async (stream) => {
      stream.send(new TextEncoder().encode(answer));
      await stream.close();
    });
    await odd.handle(carriageProtocol, () => {});
    await a.mesh.call('connect', { remote_multiaddr: `${odd.getMultiaddrs()[0]}` });
    const id = odd.peerId.toString();
    await until(async () =>
      told(await discovered(a), 'peer_exchange').some(([outcome, of]) => outcome === 'failed' && of === id),
    );
  }
});

records(
  'an announce file carries a signed record; one with another peer’s record is refused, one without is taken',
  async () => {
    await using folder = await tempFolder();
    await using b = await startNode();
    const announced = JSON.parse(await readFile(`${b.folder}/announce.json`, 'utf8'));
    assert.is((await openRecord(Buffer.from(announced.record, 'base64'))).peerId, b.peerId);
    const other = await sealRecord(await generateKeyPair('Ed25519'), [multiaddr('/ip4/127.0.0.1/tcp/9')]);
    const files = {
      // Its addresses count for nothing beside a record.
      moved: { ...announced, multiaddr: `/ip4/127.0.0.1/tcp/9/p2p/${b.peerId}`, multiaddrs: [] },
      forged: { ...announced, record: Buffer.from(other).toString('base64') },
      unsigned: { peer_id: b.peerId, multiaddr: b.address },
    };
    for (const [name, content] of Object.entries(files)) await writeFile(folder.file(name), JSON.stringify(content));
    await using a = await startNode({ bootstrap: Object.keys(files).map((name) => folder.file(name)) });
    const rows = (await discovered(a)).filter(({ method }) => method === 'announce_file');
    assert.equal(
      rows.map(({ outcome, error }) => [outcome, error.split(':')[0]]),
      [
        ['connected', ''],
        ['failed', 'peer_protocol_error'],
        ['connected', ''],
      ],
    );
  },
);

hearsay.run();
records.run();
