/**
 * The carriage between peers, at the level of its stream: whatever a peer sends, the node neither crashes nor grows nor hangs,
 * and says nothing but messages.
 */

import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { defaultGrant } from '../../src/mesh/grant.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { UncheckedMesh } from '../../src/mesh/mesh.ts';
import { operationEntry, operationNames } from '../../src/mesh/operations.ts';
import { peerHandler } from '../../src/p2p/peer-server.ts';
import { StreamChannel } from '../../src/p2p/stream-channel.ts';
import { Permits } from '../../src/p2p/trust/permits.ts';
import { Refusals } from '../../src/p2p/trust/refusals.ts';
import { Endpoint } from '../../src/rpc/endpoint.ts';
import { kindOf } from '../../src/rpc/message.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { carriageMessages, largeMessage } from './carriage-messages.ts';
import { feedAll, mutatedFrames, randomFrames, seed } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';
import { MemoryStream } from './memory-stream.ts';

const test = suite('fuzzed carriage');
console.log(`seed ${seed}`);

// Rates are kept elsewhere; here every frame is to get as far as it can.
const limits = { ...defaultLimits, maxFrameBytes: 128 * 1024, peerRequestBurst: 1_000_000 };

/** Answers everything, now or when it is given up. */
const node: UncheckedMesh = {
  call: async (name, _input, { signal } = {}) => {
    if (operationEntry(name).waitMs === undefined) return {} as never;
    return await new Promise((_, reject) => {
      const give = (): void => reject(new MeshError('cancelled', 'It was given up.'));
      if (signal?.aborted) give();
      else signal?.addEventListener('abort', give, { once: true });
    });
  },
  subscribe: () => () => {},
};
const mesh = checked(node, limits);

interface Peer {
  readonly stream: MemoryStream;
  readonly endpoint: Endpoint;
  readonly clock: FakeClock;
  frames: number;
}

const turns: (() => void)[] = [];

const permits = (clock: FakeClock): Permits =>
  new Permits({ clock, limits, refusals: new Refusals(clock), grantOf: () => defaultGrant });

function connected(): Peer {
  const stream = new MemoryStream();
  const clock = new FakeClock();
  const channel = new StreamChannel(stream.asStream(), {
    clock,
    limits,
    onHalfClosed() {},
    nextTurn: (run) => void turns.push(run),
  });
  const endpoint = new Endpoint(channel, {
    clock,
    maxInFlight: limits.maxInFlight,
    maxBufferedBytes: limits.maxBufferedBytes,
    handle: peerHandler({ mesh, offered: new Map() }, permits(clock).of('peer'), () => {}),
    closedError: () => new MeshError('peer_unreachable', 'The peer is gone.'),
  });
  return { stream, endpoint, clock, frames: 0 };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  await new Promise((resolve) => setImmediate(resolve));
}

/** All frames on one stream, or on the next one where one of them broke it. Nothing may be left of any. */
async function feed(frames: readonly Uint8Array[]): Promise<void> {
  const peers: Peer[] = [];
  let peer: Peer | undefined;
  for (const frame of frames) {
    if (peer === undefined || peer.stream.status !== 'open') {
      peer = connected();
      peers.push(peer);
    }
    peer.frames++;
    peer.stream.arrive(frame);
  }
  await settled();
  // Half a frame, and calls that wait, end by the clock: nothing hangs.
  for (const { clock } of peers) clock.advance(limits.maxWaitMs + limits.callDeadlineMs);
  await settled();
  for (const { stream, endpoint, frames: sent } of peers) {
    for (const message of stream.sent) assert.ok(kindOf(message), JSON.stringify(message));
    const answers = stream.sent.filter((message) => kindOf(message) === 'response');
    // Half a frame may be ended by what comes next and be followed by whole ones; never by more than there are bytes for.
    assert.ok(answers.length <= sent + 1, 'no more answers than frames could ask for');
    endpoint.close();
  }
  await settled();
  for (const { endpoint, clock } of peers) {
    assert.is(endpoint.serving, 0, 'nothing is being worked on');
    assert.is(endpoint.inFlight, 0);
    assert.is(clock.pendingTimers, 0, 'no timer is left');
  }
}

test('100,000 random frames: no crash, no growth, no hang', async () => {
  await withoutGrowth(
    () => feedAll(randomFrames(), feed, 5_000),
    () => feedAll(randomFrames(), feed),
  );
});

test('100,000 mutated messages: no crash, no growth, no hang', async () => {
  const frames = fc.oneof(
    { weight: 199, arbitrary: mutatedFrames(carriageMessages()) },
    { weight: 1, arbitrary: mutatedFrames([largeMessage()]) },
  );
  await withoutGrowth(
    () => feedAll(frames, feed, 5_000),
    () => feedAll(frames, feed),
  );
});

test('the messages that were mutated are good ones', async () => {
  const tools = new Set(operationNames.map((name) => operationEntry(name).tool));
  for (const message of carriageMessages()) assert.ok(kindOf(message), JSON.stringify(message));
  assert.ok(carriageMessages().length > tools.size / 2);
});

test.run();
