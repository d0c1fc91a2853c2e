import * as assert from 'uvu/assert';
import type { ClaimedTask } from '../../src/mesh/task.ts';
import { claimAnywhere, firstPauseMs, headStartMs, maxWaitingPeers } from '../../src/p2p/claim.ts';
import type { ClaimSource } from '../../src/p2p/claim-race.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { failureOf, until } from './support.ts';

/** A queue whose answers the test gives by hand. */
class HandQueue implements ClaimSource {
  readonly peerId: string;
  readonly givenBack: string[] = [];
  /** What a claim that does not wait gets. */
  ready: ClaimedTask | null = null;
  /** How a claim that waits is answered; undefined while none waits. */
  answer: ((task: ClaimedTask | null) => void) | undefined;
  aborted = false;
  fails = false;
  /** Never answers, as a stopped process does. */
  frozen = false;
  asked = 0;

  constructor(peerId: string) {
    this.peerId = peerId;
  }

  claim({ waitMs, signal }: { waitMs: number; signal: AbortSignal }): Promise<ClaimedTask | null> {
    this.asked++;
    if (this.frozen)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('gave up'))));
    if (this.fails) return Promise.reject(new Error('gone'));
    if (waitMs === 0) return Promise.resolve(this.ready);
    return new Promise((resolve) => {
      this.answer = resolve;
      signal.addEventListener('abort', () => {
        this.aborted = true;
      });
    });
  }

  giveBack(task: ClaimedTask): void {
    this.givenBack.push(task.task_id);
  }
}

function task(id: string): ClaimedTask {
  return { task_id: id, fence: 1 } as ClaimedTask;
}

interface Scene {
  clock: FakeClock;
  own: HandQueue;
  peers: HandQueue[];
  join(peer: HandQueue): void;
  claim(waitMs: number, signal?: AbortSignal): Promise<ClaimedTask | null>;
}

function scene(count: number): Scene {
  const clock = new FakeClock();
  const own = new HandQueue('own');
  const peers = Array.from({ length: count }, (_, index) => new HandQueue(`peer-${index}`));
  let joined: ((source: ClaimSource) => void) | undefined;
  return {
    clock,
    own,
    peers,
    join: (peer) => joined?.(peer),
    claim: (waitMs, signal) =>
      claimAnywhere({
        clock,
        waitMs,
        signal,
        own,
        peers: () => peers,
        onPeer(join) {
          joined = join;
          return () => {
            joined = undefined;
          };
        },
      }),
  };
}

const claims = suite('the claim rule');

claims('the own queue is asked first, and its task ends the matter', async () => {
  const { own, peers, claim } = scene(1);
  own.ready = task('mine');
  for (const peer of peers) peer.ready = task('theirs');
  assert.is((await claim(0))?.task_id, 'mine');
});

claims('a peer that fails does not keep the others from being asked', async () => {
  const { peers, claim } = scene(3);
  const [first, , third] = peers as [HandQueue, HandQueue, HandQueue];
  first.fails = true;
  third.ready = task('third');
  assert.is((await claim(0))?.task_id, 'third');
});

claims('a peer that does not answer holds up neither the others, nor a task that comes to the own queue', async () => {
  const { clock, own, peers, claim } = scene(3);
  const [first, second, third] = peers as [HandQueue, HandQueue, HandQueue];
  first.frozen = second.frozen = true;
  third.ready = task('third');
  const found = claim(0);
  for (const peer of [first, second]) {
    await until(() => peer.asked === 1);
    clock.advance(headStartMs);
  }
  assert.is((await found)?.task_id, 'third');

  third.ready = null;
  const waited = claim(10_000);
  for (const peer of [first, second]) {
    await until(() => peer.asked === 2);
    clock.advance(headStartMs);
  }
  await until(() => own.answer !== undefined);
  own.answer?.(task('mine'));
  assert.is((await waited)?.task_id, 'mine');
});

claims('a claim that does not wait still hears a slow peer', async () => {
  const { clock, peers, claim } = scene(1);
  const [slow] = peers as [HandQueue];
  const answer = Promise.withResolvers<ClaimedTask>();
  slow.claim = () => answer.promise;
  const claimed = claim(0);
  await until(() => clock.pendingTimers > 0);
  clock.advance(headStartMs);
  answer.resolve(task('slow'));
  assert.is((await claimed)?.task_id, 'slow');
});

claims('who does not wait gets null when there is nothing', async () => {
  assert.is(await scene(2).claim(0), null);
});

claims('the first task wins; what arrives later is given back where it came from', async () => {
  const { own, peers, claim } = scene(2);
  const [first, second] = peers as [HandQueue, HandQueue];
  const claimed = claim(1_000);
  await until(() => second.answer !== undefined && own.answer !== undefined);
  first.answer?.(task('won'));
  second.answer?.(task('late'));
  own.answer?.(task('own-late'));
  assert.is((await claimed)?.task_id, 'won');
  assert.ok(second.aborted && own.aborted, 'the losers are told to stop');
  await until(() => own.givenBack.length === 1);
  assert.equal([first.givenBack, second.givenBack, own.givenBack], [[], ['late'], ['own-late']]);
});

claims('the wait ends when the own queue says that its time is over', async () => {
  const { own, peers, claim } = scene(1);
  const claimed = claim(1_000);
  await until(() => own.answer !== undefined && peers[0]?.answer !== undefined);
  own.answer?.(null);
  assert.is(await claimed, null);
  assert.ok(peers[0]?.aborted);
});

claims('a peer that connects meanwhile joins the wait, and one that failed may come back', async () => {
  const { own, claim, join } = scene(0);
  const claimed = claim(1_000);
  await until(() => own.answer !== undefined);
  const flaky = new HandQueue('flaky');
  flaky.fails = true;
  join(flaky);
  await new Promise((resolve) => setImmediate(resolve));
  flaky.fails = false;
  join(flaky);
  flaky.answer?.(task('joined'));
  assert.is((await claimed)?.task_id, 'joined');
});

claims(
  'a peer that refuses is asked again, more and more seldom, and at once when it says that something changed',
  async () => {
    const { clock, own, peers, claim, join } = scene(1);
    const [unwilling] = peers as [HandQueue];
    const claimed = claim(60_000);
    await until(() => unwilling.answer !== undefined && own.answer !== undefined);
    const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const refuse = async (): Promise<void> => {
      unwilling.fails = true;
      unwilling.answer?.(null);
      await settle();
    };
    await refuse();
    const asked: number[] = [];
    for (let second = 1; second <= 7; second++) {
      const before = unwilling.asked;
      clock.advance(firstPauseMs);
      await settle();
      if (unwilling.asked > before) asked.push(second);
    }
    assert.equal(asked, [1, 3, 7]);
    unwilling.fails = false;
    join(unwilling);
    unwilling.answer?.(task('granted'));
    assert.is((await claimed)?.task_id, 'granted');
    assert.is(clock.pendingTimers, 0);
  },
);

claims('a peer that changed its mind while its refusal was under way is asked again at once', async () => {
  const { own, peers, claim, join } = scene(1);
  const [peer] = peers as [HandQueue];
  const claimed = claim(60_000);
  await until(() => peer.answer !== undefined && own.answer !== undefined);
  const { answer, asked } = peer;
  join(peer);
  answer?.(null);
  await until(() => peer.asked === asked + 1);
  peer.answer?.(task('granted'));
  assert.is((await claimed)?.task_id, 'granted');
});

claims('no more than sixteen peers are asked to wait at once', async () => {
  const { own, peers, claim } = scene(maxWaitingPeers + 5);
  const claimed = claim(1_000);
  await until(() => own.answer !== undefined);
  assert.is(peers.filter(({ answer }) => answer !== undefined).length, maxWaitingPeers);
  own.answer?.(null);
  await claimed;
});

claims('a claim that is cancelled rejects at once, and a lease that comes all the same is given back', async () => {
  const { own, peers, claim } = scene(1);
  const stop = new AbortController();
  const claimed = failureOf(claim(1_000, stop.signal));
  await until(() => own.answer !== undefined && peers[0]?.answer !== undefined);
  stop.abort();
  assert.is((await claimed).code, 'cancelled');
  peers[0]?.answer?.(task('late'));
  await until(() => peers[0]?.givenBack.length === 1);
});

claims.run();
