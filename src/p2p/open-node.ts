/**
 * Opens everything that a node is made of, in order, and closes it in the opposite order. Called by `createNode`. When something
 * cannot be opened, what was opened before it is closed again.
 */

import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { getLogger } from '@logtape/logtape';
import { openCache } from '../cache/cache.ts';
import { checked } from '../mesh/checked.ts';
import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import type { MeshListener, UncheckedMesh } from '../mesh/mesh.ts';
import { joinTaskId } from '../mesh/task.ts';
import { openQueue } from '../queue/engine.ts';
import { lockDataFolder } from '../queue/lock.ts';
import { loadIdentity } from '../trust/identity.ts';
import { readMeshKey } from '../trust/mesh-key.ts';
import { closeFolder } from '../trust/private-file.ts';
import { CallRouter } from './call-router.ts';
import { carriageProtocol } from './carriage.ts';
import { announcementOf, removeAnnouncement, writeAnnouncement } from './discovery/announce-file.ts';
import { attempt, configuredPlaces, type Place } from './discovery/discovery.ts';
import { PeerBook } from './discovery/peer-book.ts';
import { buildHost, refuseStrangers, startHost } from './libp2p-host.ts';
import { LocalOperations } from './local-operations.ts';
import type { NodeOptions } from './options.ts';
import { PeerClient } from './peer-client.ts';
import { PeerHandlers } from './peer-handlers.ts';
import { parseListenAddress } from './reach/addresses.ts';
import { openCarriage } from './reach/dialer.ts';
import { connectTo, Network } from './reach/network.ts';
import { PeerLinks } from './reach/peer-links.ts';
import { PeerWatch } from './reach/peer-watch.ts';
import { Keeper } from './reach/reconnect.ts';
import { StatusReport } from './status.ts';
import { loadTools } from './tools.ts';
import { withDeadline } from './with-deadline.ts';

const log = getLogger(['taskmesh', 'p2p']);

/** How long libp2p may take to say goodbye to its peers, in milliseconds. */
const goodbyeMs = 1_500;

/** Failures after which a peer found by mDNS is not dialled again until mDNS tells of it again. */
const mdnsFailures = 5;

export interface OpenNodeOptions {
  options: NodeOptions;
  clock: Clock;
  random: () => number;
  emit: MeshListener;
}

export interface OpenNode extends Pick<UncheckedMesh, 'call'> {
  readonly peerId: string;
  addresses(): string[];
  carriageStreams(): Record<string, number>;
  close(): Promise<void>;
}

export async function openNode({ options, clock, random, emit }: OpenNodeOptions): Promise<OpenNode> {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const file = (name: string): string => join(options.dataFolder, name);
  const listen = options.listen.map(parseListenAddress);
  const places = configuredPlaces(options.bootstrap);

  await using opened = new AsyncDisposableStack();
  opened.use(lockDataFolder(options.dataFolder));
  await closeFolder(options.dataFolder);
  const meshKey = await meshKeyOf(options);
  refuseStrangers(listen, meshKey);
  const privateKey = await loadIdentity(file('node.key'));
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const tools = await loadTools(options.toolsModule, clock, limits);

  const queue = opened.use(
    await openQueue({
      path: file('queue.sqlite'),
      limits,
      clock,
      random,
      onEvent: (event) => emit({ ...event, task_id: joinTaskId(event.task_id, peerId) }),
    }),
  );
  const cache = opened.use(await openCache({ path: file('cache.sqlite'), limits, clock }));
  await queue.start();

  const book = new PeerBook();
  const host = await buildHost({
    privateKey,
    listen,
    meshKey,
    mdns: options.mdns,
    limits,
    onFoundByMdns: ({ id, multiaddrs }) => {
      const found = { peerId: id.toString(), addresses: multiaddrs };
      const place: Place = { key: found.peerId, method: 'mdns', resolve: async () => found };
      if (found.peerId !== peerId) keeper.keep(place, { forgetAfter: mdnsFailures });
    },
  });
  const keeper = new Keeper({
    clock,
    random,
    isConnected: (id) => watch.isConnected(id),
    attempt: (place, signal) =>
      attempt(place, {
        ownPeerId: peerId,
        clock,
        book,
        deadlineMs: limits.dialDeadlineMs,
        signal,
        dial: (peer, stop) => connectTo(host, peer, stop),
      }),
  });
  const network = new Network({ host, book, keeper, clock, mdns: options.mdns });
  const status = new StatusReport({ host, queue, cache, tools, layout: options.layout, limits, clock });
  const operations = new LocalOperations({ peerId, queue, cache, tools, network, status });
  const handlers = new PeerHandlers((caller) => checked(operations.inTheNameOf(caller), limits), limits, clock);
  const links = new PeerLinks({
    localPeerId: peerId,
    clock,
    limits,
    openStream: (id, addresses, signal) => openCarriage(host, id, addresses, signal),
    handlerFor: (id) => handlers.handlerFor(id),
  });
  const watch = new PeerWatch({
    host,
    book,
    emit,
    onLost(id) {
      handlers.forget(id);
      keeper.lost(id);
    },
  });
  const router = new CallRouter({ peerId, operations, client: new PeerClient(links), watch, clock, limits });

  opened.defer(() => stopHost(host, clock));
  opened.use(watch);
  opened.defer(() => links.close());
  await host.handle(carriageProtocol, (stream, { remotePeer }) => links.accept(remotePeer.toString(), stream), {
    maxInboundStreams: limits.maxStreamsPerPeer,
    maxOutboundStreams: limits.maxStreamsPerPeer,
  });
  await startHost(host, listen);
  const addresses = (): string[] => host.getMultiaddrs().map(String);
  const announceFile = options.announceFile ?? file('announce.json');
  const announced = announcementOf(peerId, addresses());
  if (announced !== undefined) {
    opened.defer(() => removeAnnouncement(announceFile, peerId));
    await writeAnnouncement(announceFile, announced);
  }
  opened.defer(() => keeper.stop());
  for (const place of places) keeper.keep(place);
  log.debug('Node {peerId} listens on {addresses}', { peerId, addresses: addresses() });

  const open = opened.move();
  return {
    peerId,
    addresses,
    carriageStreams: () => links.counts(),
    call: (name, input, callOptions) => router.call(name, input, callOptions),
    async close() {
      await open.disposeAsync();
      log.debug('Node {peerId} has stopped', { peerId });
    },
  };
}

/** The key that was named must be there; the one in the data folder is used when it is there. */
async function meshKeyOf({ meshKeyFile, dataFolder }: NodeOptions): Promise<Uint8Array | undefined> {
  const key = await readMeshKey(meshKeyFile ?? join(dataFolder, 'mesh.key'));
  if (key !== undefined || meshKeyFile === undefined) return key;
  throw new MeshError(
    'invalid_config',
    `There is no mesh key ${meshKeyFile}. Copy it from another machine of the mesh, or make one with "taskmesh init".`,
  );
}

/** A peer that does not say goodbye must not hold up the end. */
async function stopHost(host: { stop(): unknown }, clock: Clock): Promise<void> {
  try {
    await withDeadline(
      { clock, deadlineMs: goodbyeMs },
      async () => void (await host.stop()),
      () => new MeshError('timeout', `libp2p had not stopped after ${goodbyeMs} ms.`),
    );
  } catch (error) {
    log.warn('libp2p did not stop cleanly: {error}', { error });
  }
}
