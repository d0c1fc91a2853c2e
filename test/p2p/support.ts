/** Real nodes on loopback with data of their own, and raw libp2p hosts that misbehave: what the P2P tests are made of. */

import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Libp2p, Stream, StreamMuxerFactory } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { checked } from '../../src/mesh/checked.ts';
import { systemClock } from '../../src/mesh/clock.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { Mesh, MeshEvent } from '../../src/mesh/mesh.ts';
import type { OperationOutput } from '../../src/mesh/operations.ts';
import { carriageProtocol, clientCapabilitiesKey, mcpRevision, protocolVersionKey } from '../../src/p2p/carriage.ts';
import { buildHost, startHost } from '../../src/p2p/libp2p-host.ts';
import { withoutLockChannel } from '../../src/p2p/lock-channel.ts';
import { createNode, type Node } from '../../src/p2p/node.ts';
import type { NodeDependencies, NodeOptions } from '../../src/p2p/options.ts';
import { parseListenAddress } from '../../src/p2p/reach/addresses.ts';
import { stopHost } from '../../src/p2p/stop-host.ts';
import { encodeFrames, encodeMessage, FrameReader } from '../../src/rpc/frames.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';

export interface TestNode extends AsyncDisposable {
  readonly node: Node;
  readonly mesh: Mesh;
  readonly peerId: string;
  /** Its TCP address, with its peer id. */
  readonly address: string;
  readonly folder: string;
}

export function optionsIn(folder: string, options: Partial<NodeOptions> = {}): NodeOptions {
  return {
    dataFolder: folder,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    mdns: false,
    layout: 'inline',
    ...options,
  };
}

/** Starts a node; in a folder of its own that goes away with it, unless one is named. */
export async function startNode(
  options: Partial<NodeOptions> = {},
  dependencies: NodeDependencies = {},
): Promise<TestNode> {
  const temporary: TempFolder | undefined = options.dataFolder === undefined ? await tempFolder() : undefined;
  const folder = options.dataFolder ?? temporary?.path ?? '';
  const node = createNode(optionsIn(folder, options), dependencies);
  try {
    await node.start();
  } catch (error) {
    await temporary?.remove();
    throw error;
  }
  return {
    node,
    mesh: checked(node, { ...defaultLimits, ...options.limits }),
    peerId: node.peerId,
    address: node.addresses.find((address) => !address.includes('/ws/')) ?? '',
    folder,
    async [Symbol.asyncDispose]() {
      await node.stop();
      await temporary?.remove();
    },
  };
}

/** Resolves with the first event that fits; asks before it listens, so that nothing falls in between. */
export function eventOf(mesh: Mesh, fits: (event: MeshEvent) => boolean): Promise<MeshEvent> {
  return new Promise((resolve) => {
    const end = mesh.subscribe((event) => {
      if (!fits(event)) return;
      end();
      resolve(event);
    });
  });
}

export async function connect(from: TestNode, to: TestNode): Promise<void> {
  const identified = nodesSeen(from, to);
  await from.mesh.call('connect', { remote_multiaddr: to.address });
  await identified;
}

/** Both sides know that the other one is a node of the mesh, so that claims reach it. */
async function nodesSeen(from: TestNode, to: TestNode): Promise<void> {
  await until(async () => (await agentOf(from, to.peerId)) !== null && (await agentOf(to, from.peerId)) !== null);
}

async function agentOf({ mesh }: TestNode, peerId: string): Promise<string | null> {
  const { peers } = await mesh.call('peers', { connected_only: true });
  return peers.find(({ peer_id }) => peer_id === peerId)?.agent ?? null;
}

/** For what has no event: asks again after each turn of the event loop, for 30 s at most. */
export async function until(fits: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!(await fits())) {
    if (performance.now() > untilMs) throw new Error(`did not come true within 30 s: ${fits}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The error that a call fails with; fails the test when it does not fail. */
export async function failureOf(call: Promise<unknown>): Promise<MeshError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
  throw new Error('the call was expected to fail, and did not');
}

type Status = OperationOutput<'status'>;

export async function statusOf({ mesh }: TestNode): Promise<Status & { detail: NonNullable<Status['detail']> }> {
  const { detail, ...status } = await mesh.call('status', { detail: true });
  if (detail === undefined) throw new Error('status left the detail out');
  return { ...status, detail };
}

/** A host as the product builds it, on loopback, with no node on it. */
export async function ownHost() {
  const listen = [parseListenAddress('/ip4/127.0.0.1/tcp/0')];
  const privateKey = await generateKeyPair('Ed25519');
  const host = await buildHost({
    privateKey,
    listen,
    meshKey: undefined,
    mdns: false,
    limits: defaultLimits,
    onFoundByMdns() {},
  });
  await startHost(host, listen);
  return Object.assign(host, { [Symbol.asyncDispose]: () => stopHost(host, systemClock, 1_500) });
}

export type RawHost = Libp2p & AsyncDisposable;

/** A bare libp2p host: a stranger, or a peer that does not behave. */
export async function rawHost(listen: string[] = ['/ip4/127.0.0.1/tcp/0']): Promise<RawHost> {
  const host = await createLibp2p({
    start: false,
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux() as unknown as () => StreamMuxerFactory],
    services: { identify: identify({ timeout: 2_000 }) },
    // On Deno, libp2p's time limits keep the process alive until they are over.
    connectionManager: {
      addressDialTimeout: 3_000,
      inboundUpgradeTimeout: 3_000,
      inboundStreamProtocolNegotiationTimeout: 3_000,
      outboundStreamProtocolNegotiationTimeout: 3_000,
    },
  });
  await withoutLockChannel(() => host.peerStore.has(host.peerId));
  await host.start();
  return Object.assign(host, {
    async [Symbol.asyncDispose]() {
      await host.stop();
    },
  });
}

/** Whatever may come back over the carriage; tests look at the fields that they expect. */
export interface RawMessage {
  id?: number | string | null;
  result?: {
    resultType?: string;
    isError?: boolean;
    content?: unknown[];
    structuredContent?: Record<string, unknown>;
    tools?: { name: string }[];
    supportedVersions?: string[];
  };
  error?: { code: number; message: string; data?: Record<string, unknown> };
}

/** The carriage seen from below: bytes out, messages in. */
export class RawCarriage {
  readonly stream: Stream;
  readonly messages: RawMessage[] = [];
  readonly #reader = new FrameReader(64 * 1024 * 1024);
  readonly closed: Promise<void>;
  #wake: () => void = () => {};

  constructor(stream: Stream) {
    this.stream = stream;
    this.closed = new Promise((resolve) => {
      const end = (): void => {
        resolve();
        this.#wake();
      };
      stream.addEventListener('close', end);
      stream.addEventListener('remoteCloseWrite', end);
    });
    stream.addEventListener('message', ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data) {
        this.#reader.push(piece, (message) => this.messages.push(message as RawMessage));
      }
      this.#wake();
    });
  }

  bytes(bytes: Uint8Array): void {
    this.stream.send(bytes);
  }

  send(message: unknown): void {
    this.bytes(encodeFrames([encodeMessage(message, 64 * 1024 * 1024)]));
  }

  /** The next message; undefined when the stream ended before. */
  async next(): Promise<RawMessage | undefined> {
    if (this.messages.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, this.closed]);
    }
    return this.messages.shift();
  }

  /** Sends a request of the sessionless binding and answers what comes back. */
  async request(method: string, params: Record<string, unknown> = {}): Promise<RawMessage | undefined> {
    this.send(request(method, params));
    return this.next();
  }
}

export function request(method: string, params: Record<string, unknown> = {}): Record<string, unknown> {
  const _meta = { [protocolVersionKey]: mcpRevision, [clientCapabilitiesKey]: {} };
  return { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } };
}

export async function rawCarriage(host: Libp2p, address: string): Promise<RawCarriage> {
  return new RawCarriage(await host.dialProtocol(multiaddr(address), carriageProtocol));
}
