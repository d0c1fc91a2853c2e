/**
 * Opens everything that a node is made of, in order, and closes it in the opposite order. Called by `createNode`. When something
 * cannot be opened, what was opened before it is closed again.
 */

import { join } from 'node:path';
import type { Connection, Stream } from '@libp2p/interface';
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
import { buildHost, refuseStrangers, startHost } from './libp2p-host.ts';
import { LocalOperations } from './local-operations.ts';
import { meshName } from './mesh-key.ts';
import { type OpenNetwork, openNetwork } from './open-network.ts';
import type { NodeOptions } from './options.ts';
import { PeerClient } from './peer-client.ts';
import { PeerHandlers } from './peer-handlers.ts';
import { type OpenPython, pythonFor } from './python/open-python.ts';
import { parseAnnouncedAddress, parseListenAddress } from './reach/addresses.ts';
import { PeerLinks } from './reach/peer-links.ts';
import { StatusReport } from './status.ts';
import { stopHost } from './stop-host.ts';
import { loadTools } from './tools.ts';
import { Trust } from './trust/trust.ts';
import { trustReport } from './trust/trust-report.ts';

const log = getLogger(['taskmesh', 'p2p']);

/** How long libp2p may take to say goodbye to its peers, in milliseconds. */
const goodbyeMs = 1_500;

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
  const announce = (options.announce ?? []).map(parseAnnouncedAddress);

  await using opened = new AsyncDisposableStack();
  opened.use(lockDataFolder(options.dataFolder));
  await closeFolder(options.dataFolder);
  const meshKey = await meshKeyOf(options);
  refuseStrangers(listen, meshKey);
  const privateKey = await loadIdentity(file('node.key'));
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const tools = await loadTools(options.toolsModule, clock, limits);

  const trust = opened.use(
    new Trust({ options, peerId, privateKey, hasMeshKey: meshKey !== undefined, clock, limits }),
  );
  await trust.open();
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

  const host = await buildHost({
    privateKey,
    listen,
    meshKey,
    mdns: options.mdns,
    announce,
    dht: options.dht ?? meshKey !== undefined,
    relay: options.relay ?? false,
    limits,
    gater: trust.gater,
    onFoundByMdns: ({ id, multiaddrs }) => net.finder.hear('mdns', { peerId: id.toString(), addresses: multiaddrs }),
  });
  const net: OpenNetwork = await openNetwork({
    host,
    privateKey,
    meshName: meshName(meshKey),
    bootstrap: options.bootstrap,
    relays: options.relays ?? [],
    mdns: options.mdns,
    announceFile: options.announceFile ?? file('announce.json'),
    memoryFile: file('peers.json'),
    limits,
    clock,
    random,
    emit,
    serves: (id) => trust.serves(id),
    greeted: (connection) => trust.greeted(connection),
    confirmed: (connection, isNew) => trust.confirmed(connection, isNew),
    refusalOf: (id) => trust.refusalOf(id),
    shutOut: (id) => trust.shutOut(id),
    activityOf: (id) => trust.permits.useOf(id).frames,
    onLost: (id) => handlers.forget(id),
    retire: (id, streams) => links.retire(id, streams),
  });
  const { network, watch, reachability } = net;
  const status = new StatusReport({
    host,
    reachability,
    queue,
    cache,
    tools,
    layout: options.layout,
    limits,
    clock,
    ownDetail: () => ({ ...trustReport(trust, host, links.counts()), ...python?.report() }),
  });
  const operations = new LocalOperations({ peerId, queue, cache, tools, network, status });
  const handlers = new PeerHandlers({
    permits: trust.permits,
    serverFor: (caller, permit) => ({
      mesh: checked(operations.inTheNameOf(caller, permit), limits),
      offered: tools.offered,
    }),
    onAbuse: (id, error) => trust.onAbuse(id, error),
  });
  const links: PeerLinks = new PeerLinks({
    localPeerId: peerId,
    clock,
    limits,
    openStream: (id, addresses, signal) => net.dialer.openCarriage(id, addresses, signal),
    handlerFor: (id) => handlers.handlerFor(id),
    budgetFor: (id) => trust.permits.of(id).budget,
    onBroken: (id) => trust.onBroken(id),
  });
  const python: OpenPython | undefined = await pythonFor(options, { operations, peerId, privateKey, clock, limits });
  if (python !== undefined) opened.use(python);
  const router = new CallRouter({
    ...{ peerId, operations, watch, clock, limits },
    client: new PeerClient(links),
    links,
    python: python?.client,
  });

  opened.defer(() => stopHost(host, clock, goodbyeMs));
  opened.defer(() => net.close());
  opened.defer(() => links.close());
  await trust.attach({
    host,
    endLinks: (id, error) => links.end(id, error),
    keepPlace: (id, addresses) => net.keepPlace(id, addresses),
    onServed: (id, isNew) => watch.served(id, isNew),
    seek: (id) => net.finder.seek(id),
  });
  const accept = (stream: Stream, connection: Connection): void => {
    if (trust.admits(stream, connection)) links.accept(connection.remotePeer.toString(), stream);
  };
  await host.handle(carriageProtocol, accept, {
    maxInboundStreams: limits.maxStreamsPerPeer,
    maxOutboundStreams: limits.maxStreamsPerPeer,
    runOnLimitedConnection: true,
  });
  await startHost(host, listen);
  await net.start();
  trust.seek();
  const addresses = (): string[] => host.getMultiaddrs().map(String);
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
