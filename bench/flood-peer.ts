/**
 * The peer that floods, in a process of its own. Takes `go KIND ADDRESS` and `stop` as lines; answers `stop` with
 * what it got rid of. It never waits for an answer, and comes back when it is cut off. Started by `flood.ts`.
 */

import process from 'node:process';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { carriageProtocol, clientCapabilitiesKey, mcpRevision, protocolVersionKey } from '../src/p2p/carriage.ts';
import { encodeFrames, encodeMessage } from '../src/rpc/frames.ts';

const _meta = { [protocolVersionKey]: mcpRevision, [clientCapabilitiesKey]: {} };
const call = (name: string, input: object): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: input, _meta },
});
/** What is written at once, and how many messages that is. */
interface Shot {
  readonly bytes: Uint8Array;
  readonly messages: number;
}

function shotOf(message: object, messages: number): Shot {
  const encoded = encodeMessage(message, 4 * 1024 * 1024);
  return { bytes: encodeFrames(Array.from({ length: messages }, () => encoded)), messages };
}

const status = call('p2p_taskqueue_status', {});
const shots: Readonly<Record<string, Shot>> = {
  requests: shotOf(status, 500),
  bulk: shotOf(
    call('p2p_taskqueue_submit', { task_type: 'flood', payload: 'x'.repeat(1_000_000), result_ttl_s: 1 }),
    1,
  ),
  // The node says what is wrong with it and closes the stream.
  broken: { bytes: Uint8Array.of(0, 0, 0, 3, 1, 2, 3), messages: 1 },
};

const host = await createLibp2p({
  addresses: { listen: [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux() as never],
  services: { identify: identify() },
});

let flooding = false;
let sent = 0;
let cut = 0;

async function openStream(address: string): Promise<Stream> {
  const stream = await host.dialProtocol(multiaddr(address), carriageProtocol);
  // Its answers are read and thrown away.
  stream.addEventListener('message', () => {});
  return stream;
}

async function drained(stream: Stream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.addEventListener('drain', () => resolve(), { once: true });
  stream.addEventListener('close', () => resolve(), { once: true });
  await promise;
}

/** Fires until the stream is closed, or until it is told to stop. */
async function floodStream(address: string, { bytes, messages }: Shot): Promise<void> {
  const stream = await openStream(address);
  while (flooding && stream.status === 'open') {
    const taken = stream.send(bytes);
    sent += messages;
    if (!taken) await drained(stream);
    else await setImmediate();
  }
  if (stream.status !== 'open') cut++;
  stream.abort(new Error('on to the next'));
}

async function flood(address: string, shot: Shot): Promise<void> {
  // Refused, or cut while it wrote: it knocks again.
  while (flooding) await floodStream(address, shot).catch(() => setImmediate());
}

console.log('ready');
let flooded: Promise<void> = Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  const [word, kind = '', address = ''] = line.split(' ');
  const shot = shots[kind];
  if (word === 'go' && shot !== undefined) {
    flooding = true;
    [sent, cut] = [0, 0];
    flooded = flood(address, shot);
  } else {
    flooding = false;
    await flooded;
    console.log(JSON.stringify({ sent, cut }));
  }
}
process.exit(0);
