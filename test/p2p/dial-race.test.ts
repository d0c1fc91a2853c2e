import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import { dialRace } from '../../src/p2p/reach/dial-race.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const peer = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const tcp = `/ip4/10.0.0.1/tcp/1/p2p/${peer}`;
const ws = `/ip4/10.0.0.1/tcp/2/ws/p2p/${peer}`;
const loopback = `/ip4/127.0.0.1/tcp/3/p2p/${peer}`;
const relayed = `/ip4/10.0.0.9/tcp/4/p2p/${peer}/p2p-circuit/p2p/${peer}`;

interface Dial {
  address: string;
  atMs: number;
  signal: AbortSignal;
  succeed(): void;
  fail(why: string): void;
}

/** A race whose dials end when the test says so. */
function race(addresses: string[]) {
  const clock = new FakeClock();
  const fromMs = clock.monotonicMs();
  const dials: Dial[] = [];
  const closed: string[] = [];
  const stopping = new AbortController();
  const { connection: winner, add } = dialRace(addresses.map(multiaddr), {
    clock,
    signal: stopping.signal,
    dial: (address, signal) =>
      new Promise((resolve, reject) => {
        const text = address.toString();
        const connection = { remoteAddr: address, close: async () => void closed.push(text), abort() {} };
        dials.push({
          address: text,
          atMs: clock.monotonicMs() - fromMs,
          signal,
          succeed: () => resolve(connection as unknown as Connection),
          fail: (why) => reject(new Error(why)),
        });
      }),
  });
  winner.catch(() => {});
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  return { clock, dials, closed, stopping, winner, add, settle, advance };
}

const racing = suite('dialling several addresses');

racing(
  'TCP begins, then WebSockets, then loopback, and a relay last, each with a head start for the one before',
  async () => {
    const { dials, advance, stopping } = race([relayed, loopback, ws, tcp]);
    for (let step = 0; step < 8; step++) await advance(250);
    assert.equal(
      dials.map(({ address, atMs }) => [address, atMs]),
      [
        [tcp, 0],
        [ws, 250],
        [loopback, 500],
        [relayed, 1_250],
      ],
    );
    stopping.abort();
  },
);

racing(
  'an address that fails lets the next one begin at once; a relay waits until no direct one is under way',
  async () => {
    const { dials, advance, settle, stopping } = race([tcp, ws, relayed]);
    dials[0]?.fail('refused');
    await settle();
    assert.equal(
      dials.map(({ address }) => address),
      [tcp, ws],
    );
    await advance(100);
    dials[1]?.fail('refused');
    await settle();
    assert.equal(
      dials.map(({ address }) => address),
      [tcp, ws, relayed],
    );
    stopping.abort();
  },
);

racing('the first connection wins, the others are given up, and one that comes late is closed', async () => {
  const { clock, dials, closed, advance, winner, settle } = race([tcp, ws]);
  await advance(250);
  dials[1]?.succeed();
  assert.is((await winner).remoteAddr.toString(), ws);
  assert.ok(dials[0]?.signal.aborted);
  dials[0]?.succeed();
  await settle();
  assert.equal(closed, [tcp]);
  assert.is(clock.pendingTimers, 0);
});

racing('when nothing leads anywhere, all reasons are told', async () => {
  const { dials, winner, settle } = race([tcp, ws]);
  dials[0]?.fail('refused');
  await settle();
  dials[1]?.fail('no route');
  const error = await winner.catch((thrown) => thrown);
  assert.equal(error.errors.map(String), ['Error: refused', 'Error: no route']);
});

racing('an address that joins while a silent one is being dialled begins at once, and wins', async () => {
  const { dials, add, winner } = race([tcp]);
  add([multiaddr(tcp), multiaddr(ws)]);
  assert.equal(
    dials.map(({ address }) => address),
    [tcp, ws],
  );
  dials[1]?.succeed();
  assert.is((await winner).remoteAddr.toString(), ws);
  assert.ok(dials[0]?.signal.aborted);
});

racing('giving up gives everything up', async () => {
  const { clock, dials, stopping, winner } = race([tcp, ws]);
  stopping.abort();
  assert.instance(await winner.catch((thrown) => thrown), AggregateError);
  assert.ok(dials.every(({ signal }) => signal.aborted));
  assert.is(clock.pendingTimers, 0);
});

racing.run();
