/**
 * The ways across the wire that the suite `wire` compares, both ends of each: what comes is answered with the first 100 bytes of it,
 * so that small messages make a round trip and large ones measure one direction.
 */

import { Agent, createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { WebSocket, WebSocketServer } from 'ws';
import { parseDialAddress } from '../../src/p2p/reach/addresses.ts';
import { FrameReader } from '../../src/rpc/frames.ts';
import { type CarriageHost, openCarriageHost } from './carriage-host.ts';
import type { WireWay } from './wire-ways.ts';

export interface WireAddresses {
  tcp: number;
  http: number;
  websocket: number;
  /** Of the libp2p host. */
  peer: string;
}

/** One message there and its answer back. */
export type Send = () => Promise<unknown>;

export const answerBytes = 100;
const host = '127.0.0.1';
const maxFrameBytes = 4 * 1024 * 1024;
const perCallProtocol = '/taskmesh-bench/per-call/1.0.0';

const head = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, answerBytes);

/** u32 big-endian length and the bytes, as one buffer. */
function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + bytes.byteLength);
  new DataView(frame.buffer).setUint32(0, bytes.byteLength);
  frame.set(bytes, 4);
  return frame;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** The far ends of all ways. */
export async function serveWays(): Promise<{ addresses: WireAddresses; close(): Promise<unknown> }> {
  const tcp = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    const reader = new FrameReader(maxFrameBytes);
    socket.on('data', (piece: Buffer) => reader.split(piece, (body) => socket.write(framed(head(body)))));
  });
  const http = createHttpServer((incoming, outgoing) => {
    const pieces: Uint8Array[] = [];
    incoming.on('data', (piece: Uint8Array) => pieces.push(piece));
    incoming.on('end', () => outgoing.end(head(Buffer.concat(pieces))));
  });
  const webSockets = new WebSocketServer({ host, port: 0, perMessageDeflate: false, maxPayload: maxFrameBytes });
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(head(data as Buffer))));
  await new Promise((resolve) => webSockets.once('listening', resolve));
  const peer = await openCarriageHost({
    encryption: 'noise',
    listen: true,
    handle: async (_method, params) => ({ text: String(params.text).slice(0, answerBytes) }),
  });
  await peer.host.handle(perCallProtocol, (stream) => {
    const reader = new FrameReader(maxFrameBytes);
    stream.addEventListener('message', ({ data }: StreamMessageEvent) =>
      reader.split(data.subarray(), (body) => {
        stream.send(framed(head(body)));
        void stream.close().catch(() => {});
      }),
    );
  });
  const addresses: WireAddresses = {
    tcp: await listening(tcp),
    http: await listening(http),
    websocket: (webSockets.address() as AddressInfo).port,
    peer: peer.address ?? '',
  };
  return { addresses, close: () => peer.close() };
}

/** The near end of one way, connected. */
export interface OpenWay {
  /** Makes the function that sends a message of so many bytes. */
  sender(bytes: number): Send;
  close(): Promise<unknown>;
}

export async function openWay(way: WireWay, addresses: WireAddresses): Promise<OpenWay> {
  switch (way) {
    case 'tcp':
      return openTcp(addresses.tcp);
    case 'http':
      return openHttp(addresses.http);
    case 'websocket':
      return openWebSocket(addresses.websocket);
    case 'stream_per_call':
    case 'one_stream': {
      const near = await openCarriageHost({ encryption: 'noise', listen: false });
      return way === 'one_stream' ? oneStream(near, addresses.peer) : streamPerCall(near, addresses.peer);
    }
  }
}

const payload = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(120);

/** Answers come in the order of the questions. */
class InTurn {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  answered(): void {
    this.#waiting.shift()?.();
  }
}

async function openTcp(port: number): Promise<OpenWay> {
  const socket: Socket = connect({ port, host, noDelay: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const turns = new InTurn();
  const reader = new FrameReader(maxFrameBytes);
  socket.on('data', (piece: Buffer) => reader.split(piece, () => turns.answered()));
  return {
    sender(bytes) {
      const body = payload(bytes);
      return () => {
        socket.write(framed(body));
        return turns.next();
      };
    },
    close: async () => void socket.destroy(),
  };
}

async function openHttp(port: number): Promise<OpenWay> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    sender(bytes) {
      const body = payload(bytes);
      const options = { host, port, agent, method: 'POST', headers: { 'Content-Length': bytes } };
      return () =>
        new Promise((resolve, reject) => {
          const outgoing = request(options, (response) => {
            response.on('data', () => {});
            response.once('end', () => resolve(undefined));
          });
          outgoing.once('error', reject);
          outgoing.end(body);
        });
    },
    close: async () => agent.destroy(),
  };
}

async function openWebSocket(port: number): Promise<OpenWay> {
  const socket = new WebSocket(`ws://${host}:${port}`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const turns = new InTurn();
  socket.on('message', () => turns.answered());
  return {
    sender(bytes) {
      const body = payload(bytes);
      return () => {
        socket.send(body);
        return turns.next();
      };
    },
    close: async () => socket.terminate(),
  };
}

async function oneStream(near: CarriageHost, peer: string): Promise<OpenWay> {
  return {
    sender(bytes) {
      const text = 'x'.repeat(bytes);
      return () => near.request(peer, 'bench', { text });
    },
    close: () => near.close(),
  };
}

async function streamPerCall(near: CarriageHost, peer: string): Promise<OpenWay> {
  const connection = await near.host.dial(parseDialAddress(peer).address);
  return {
    sender(bytes) {
      const body = payload(bytes);
      return async () => {
        const stream = await connection.newStream(perCallProtocol);
        const answer = answerOf(stream);
        stream.send(framed(body));
        await answer;
        await stream.close();
      };
    },
    close: () => near.close(),
  };
}

function answerOf(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(maxFrameBytes);
    stream.addEventListener('message', ({ data }: StreamMessageEvent) =>
      reader.split(data.subarray(), () => resolve()),
    );
    stream.addEventListener('close', ({ error }) => reject(error ?? new Error('The stream ended without an answer.')));
  });
}
