/**
 * One peer floods a node; its neighbour is served all the while. What that costs the neighbour is measured by `bench/flood.ts`.
 */

import * as assert from 'uvu/assert';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { encodeFrames, encodeMessage } from '../../src/rpc/frames.ts';
import { type RawHost, rawCarriage, rawHost, request, startNode, until } from '../p2p/support.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('a flood');

/** What the neighbour asks, one after the other. */
const calls = 100;

/** Shots per turn of the event loop, as far as the stream takes them. */
const shotsPerTurn = 5;

const status = request('tools/call', { name: 'p2p_taskqueue_status', arguments: {} });
const bulk = request('tools/call', { name: 'p2p_taskqueue_submit', arguments: { payload: 'x'.repeat(200_000) } });
const frame = (message: object): Uint8Array => encodeFrames([encodeMessage(message, defaultLimits.maxFrameBytes)]);

const floods: readonly [name: string, bytes: Uint8Array][] = [
  ['requests beyond its rate', frame(status)],
  ['bulk that nobody wants', frame(bulk)],
  ['frames that are no messages', Uint8Array.of(0, 0, 0, 3, 1, 2, 3)],
];

/** Floods until the signal is aborted; knocks again when it is shut out. */
class Flood {
  shots = 0;
  answers = 0;
  readonly over: Promise<void>;
  readonly #flooder: RawHost;
  readonly #address: string;
  readonly #bytes: Uint8Array;
  readonly #signal: AbortSignal;

  constructor(flooder: RawHost, address: string, bytes: Uint8Array, signal: AbortSignal) {
    this.#flooder = flooder;
    this.#address = address;
    this.#bytes = bytes;
    this.#signal = signal;
    this.over = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      // Refused, or cut while it wrote.
      await this.#throughOneStream().catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #throughOneStream(): Promise<void> {
    const { stream, messages } = await rawCarriage(this.#flooder, this.#address);
    while (!this.#signal.aborted && stream.status === 'open') {
      let taken = true;
      for (let shot = 0; shot < shotsPerTurn && taken && stream.status === 'open'; shot++, this.shots++)
        taken = stream.send(this.#bytes);
      if (!taken) await Promise.race([once(stream, 'drain'), once(stream, 'close'), once(this.#signal, 'abort')]);
      else await new Promise((resolve) => setImmediate(resolve));
      this.answers += messages.splice(0).length;
    }
    stream.abort(new Error('on to the next'));
  }
}

function once(target: Pick<EventTarget, 'addEventListener'>, event: string): Promise<void> {
  return new Promise((resolve) => target.addEventListener(event, () => resolve(), { once: true }));
}

for (const [name, bytes] of floods) {
  test(`a peer floods the node with ${name}: its neighbour is served all the while`, async () => {
    await using node = await startNode({ limits: { peerRequestsPerSecond: 500, peerRequestBurst: 500 } });
    await using neighbour = await startNode();
    await using flooder = await rawHost([]);
    const stop = new AbortController();
    const flood = new Flood(flooder, node.address, bytes, stop.signal);
    try {
      await until(() => flood.shots > calls);
      for (let call = 0; call < calls; call++) {
        // Within what any call has, on a machine that does other things too.
        const answer = await neighbour.mesh.call('status', { remote_multiaddr: node.address });
        assert.is(answer.peer_id, node.peerId);
      }
    } finally {
      stop.abort();
      await flood.over;
    }
    console.log(`${name}: ${flood.shots} shots, ${flood.answers} answers, ${calls} calls of the neighbour`);
  });
}

test.run();
