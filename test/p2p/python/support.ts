/** Scripted Python clients and nodes: raw libp2p hosts that send and answer the exact bytes. */

import { writeFile } from 'node:fs/promises';
import type { Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { PythonOptions } from '../../../src/mesh/node-options.ts';
import { readAnnouncement } from '../../../src/p2p/discovery/announce-file.ts';
import { asciiJson } from '../../../src/p2p/python/json.ts';
import {
  callMessage,
  frameOf,
  initializeMessage,
  legacyProtocol,
  rpcArguments,
  sessionProtocol,
} from '../../../src/p2p/python/messages.ts';
import { FrameReader } from '../../../src/rpc/frames.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';
import { rawHost, startNode, type TestNode } from '../support.ts';

export const token = 'a-token-for-tests-only';

export interface PythonNode extends TestNode {
  /** Where Python clients reach it. */
  readonly pythonAddress: string;
}

/** A node with a listener for Python nodes, on loopback. */
export async function startListening(
  python: Partial<PythonOptions> = {},
  more: Parameters<typeof startNode> = [],
): Promise<PythonNode> {
  const folder: TempFolder = await tempFolder();
  await writeFile(folder.file('token'), `${token}\n`, { mode: 0o600 });
  const [options, dependencies] = more;
  const node = await startNode(
    {
      ...options,
      dataFolder: folder.path,
      python: {
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: [],
        tokenFile: folder.file('token'),
        legacy: false,
        leaseSeconds: 300,
        ...python,
      },
    },
    dependencies,
  );
  const { multiaddr: pythonAddress } = await readAnnouncement(folder.file('python-announce.json'));
  return {
    ...node,
    pythonAddress,
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

export interface Row {
  task_id: string;
  status: string;
  payload: unknown;
  result: unknown;
  error: string | null;
  attempt: number;
  assigned_worker: string | null;
  [field: string]: unknown;
}

/** An operation's reply; each operation has some of the fields. */
export interface Reply {
  ok: boolean;
  peer_id: string;
  error: string;
  task_id: string;
  task: Row | null;
  tasks: Row[];
  [field: string]: unknown;
}

/** Whatever came in a frame; tests look at the fields that they expect. */
export interface Answer {
  jsonrpc: string;
  id: unknown;
  type: string;
  sender: string;
  error: { code: number; message: string; data?: { detail: string } };
  result: {
    content: Reply;
    ok: boolean;
    protocolVersion: string;
    transport: string;
    server: unknown;
    limits: unknown;
    tools: { name: string }[];
    supportedVersions: string[];
    resultType: string;
    isError: boolean;
    structuredContent: Reply;
  };
}

/** One stream of frames from below. */
export class RawSession {
  readonly stream: Stream;
  /** Resolves when the far side has ended the stream. */
  readonly ended: Promise<void>;
  readonly #bodies: Uint8Array[] = [];
  #wake: () => void = () => {};

  constructor(stream: Stream) {
    this.stream = stream;
    const reader = new FrameReader(64 * 1024 * 1024);
    this.ended = new Promise((resolve) => {
      if (stream.status !== 'open') resolve();
      for (const event of ['close', 'remoteCloseWrite'] as const)
        stream.addEventListener(event, () => {
          resolve();
          this.#wake();
        });
    });
    stream.addEventListener('message', ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data)
        reader.split(piece, (body) => this.#bodies.push(Buffer.from(body)));
      this.#wake();
    });
  }

  bytes(bytes: Uint8Array): void {
    this.stream.send(bytes);
  }

  send(message: unknown): void {
    this.bytes(frameOf(message, 64 * 1024 * 1024) ?? new Uint8Array());
  }

  /** The next frame's text; undefined when the stream ended before. */
  async text(): Promise<string | undefined> {
    if (this.#bodies.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, this.ended]);
    }
    const body = this.#bodies.shift();
    return body === undefined ? undefined : Buffer.from(body).toString('utf8');
  }

  async next(): Promise<Answer> {
    return JSON.parse((await this.text()) ?? '"the stream has ended"');
  }

  async asked(message: unknown): Promise<Answer> {
    this.send(message);
    return this.next();
  }
}

export async function rawSession(host: Libp2p, address: string): Promise<RawSession> {
  return new RawSession(await host.dialProtocol(multiaddr(address), sessionProtocol));
}

/** A session that has been initialized. */
export async function openSession(host: Libp2p, address: string): Promise<RawSession> {
  const session = await rawSession(host, address);
  await session.asked(initializeMessage());
  return session;
}

/** A call of the one tool. */
export function rpc(op: string, fields: Record<string, unknown> = {}, by: string | undefined = token) {
  return callMessage(1, rpcArguments(op, fields, by));
}

/** Asks as Python's client does: a new host with a new identity, one stream, one call. */
export async function askFresh(address: string, op: string, fields: Record<string, unknown> = {}): Promise<Reply> {
  await using host = await rawHost([]);
  const session = await openSession(host, address);
  const answer = await session.asked(rpc(op, fields));
  await session.stream.close();
  return answer.result.content;
}

/** One line each way on the older protocol. `line` is what is sent, with its newline. */
export async function askLine(host: Libp2p, address: string, line: string): Promise<Reply> {
  const stream = await host.dialProtocol(multiaddr(address), legacyProtocol);
  let text = '';
  const ended = new Promise<void>((resolve) => {
    stream.addEventListener('remoteCloseWrite', () => resolve());
    stream.addEventListener('close', () => resolve());
    stream.addEventListener('message', ({ data }) => {
      text += Buffer.from(data.subarray()).toString('utf8');
      if (text.endsWith('\n')) resolve();
    });
  });
  if (line !== '') stream.send(Buffer.from(line));
  await ended;
  stream.abort(new Error('done'));
  return JSON.parse(text);
}

export function lineOf(request: Record<string, unknown>): string {
  return `${asciiJson(request)}\n`;
}
