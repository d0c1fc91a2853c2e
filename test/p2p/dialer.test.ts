import * as assert from 'uvu/assert';
import { systemClock } from '../../src/mesh/clock.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { Dialer } from '../../src/p2p/reach/dialer.ts';
import { suite } from '../tooling/suite.ts';
import { failureOf, ownHost, rawHost } from './support.ts';

const dialing = suite('dialling one peer');

/** A dialer on a host of its own whose greetings the test answers, in their order; who asks meanwhile shares the one under way. */
async function greetingDialer() {
  const host = await ownHost();
  const greetings: PromiseWithResolvers<void>[] = [];
  let underWay: Promise<void> | undefined;
  let heard: () => void = () => {};
  const dialer = new Dialer({
    host,
    clock: systemClock,
    greeted: () => {
      if (underWay !== undefined) return underWay;
      const greeting = Promise.withResolvers<void>();
      greetings.push(greeting);
      heard();
      underWay = greeting.promise.finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
    known: () => [],
  });
  /** The greeting with this number, once the dialer has begun it. */
  const greeting = async (index: number): Promise<PromiseWithResolvers<void>> => {
    for (;;) {
      const begun = greetings[index];
      if (begun !== undefined) return begun;
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  return { dialer, greeting, greetings, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() };
}

const refusal = (): MeshError => new MeshError('unauthorized', 'The peer does not list this node.');

dialing('who joins a dial that was refused before they asked is answered anew', async () => {
  await using near = await greetingDialer();
  await using far = await rawHost();
  const { dialer, greeting, greetings } = near;
  const id = far.peerId.toString();
  const { signal } = new AbortController();
  const first = failureOf(dialer.dial(id, far.getMultiaddrs(), signal));
  const asked = await greeting(0);
  const joined = dialer.reach(id, far.getMultiaddrs(), signal);
  asked.reject(refusal());
  assert.is((await first).code, 'unauthorized');
  (await greeting(1)).resolve();
  assert.is((await joined).remotePeer.toString(), id);
  assert.is(greetings.length, 2);
});

dialing('who is refused on a dial of their own is not asked for again', async () => {
  await using near = await greetingDialer();
  await using far = await rawHost();
  const { dialer, greeting, greetings } = near;
  const own = failureOf(dialer.reach(far.peerId.toString(), far.getMultiaddrs(), new AbortController().signal));
  (await greeting(0)).reject(refusal());
  assert.is((await own).code, 'unauthorized');
  assert.is(greetings.length, 1);
});

dialing.run();
