import * as assert from 'uvu/assert';
import { FrameInbox } from '../../src/rpc/frame-inbox.ts';
import { encodeFrames, encodeMessage, largeFrameBytes } from '../../src/rpc/frames.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

interface Message {
  id?: number;
  method?: string;
  result?: unknown;
  params?: Record<string, unknown>;
}

const maxFrameBytes = 4 * largeFrameBytes;
const bulk = 'x'.repeat(largeFrameBytes);
const small = (id: number): Message => ({ id, method: 'small', params: {} });
const large = (id: number): Message => ({ id, method: 'large', params: { bulk } });
const cancelled = (requestId: number): Message => ({ method: 'notifications/cancelled', params: { requestId } });

class Scene {
  readonly clock = new FakeClock();
  readonly heard: Message[] = [];
  readonly refused: unknown[] = [];
  paused = false;
  resting = false;
  broken: unknown;
  /** What the event loop has to do next; each call of `turn` is one turn of it. */
  #turns: (() => boolean)[] = [];
  readonly inbox: FrameInbox;

  constructor(maxServingBytes = 100 * maxFrameBytes, onMessage: (scene: Scene) => void = () => {}) {
    this.inbox = new FrameInbox({
      clock: this.clock,
      maxFrameBytes,
      maxServingBytes,
      frameDeadlineMs: 1_000,
      deliver: (message) => {
        this.heard.push(message as Message);
        onMessage(this);
      },
      refuse: ({ id, error }) => this.refused.push({ id, error: (error.data as { error: string }).error }),
      broken: (thrown) => {
        this.broken = thrown;
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
      },
      rests: () => this.resting,
      nextTurn: (run) => this.#turns.push(run),
    });
  }

  /** Everything arrives in one turn. */
  arrive(...messages: Message[]): void {
    const encoded = messages.map((message) => encodeMessage({ jsonrpc: '2.0', ...message }, maxFrameBytes));
    this.inbox.push(encodeFrames(encoded));
  }

  /** Answers whether there was anything to do. */
  turn(): boolean {
    const due = this.#turns;
    this.#turns = [];
    for (const run of due) run();
    return due.length > 0;
  }

  /** What was handed over since the last time, by id, or by whom a cancellation is for. */
  take(): unknown[] {
    return this.heard.splice(0).map(({ id, params }) => id ?? `cancel ${params?.requestId}`);
  }
}

const inbox = suite('frames on arrival');

inbox('large ones are parsed in one turn of the loop and handed over in the next, and small ones pass them', () => {
  const scene = new Scene();
  scene.arrive(large(1), large(2), small(3), large(4), small(5));
  assert.equal(scene.take(), [3, 5]);
  for (const id of [1, 2, 4]) {
    assert.ok(scene.turn());
    assert.equal(scene.take(), []);
    assert.ok(scene.turn());
    assert.equal(scene.take(), [id]);
  }
  assert.not(scene.turn(), 'nothing is left to do');
});

inbox('a cancellation stays behind the request that it is about', () => {
  const scene = new Scene();
  scene.arrive(large(1), cancelled(1), small(2));
  assert.equal(scene.take(), [2]);
  while (scene.turn());
  assert.equal(scene.take(), [1, 'cancel 1']);
  scene.arrive(small(3), cancelled(3));
  assert.equal(scene.take(), [3, 'cancel 3']);
});

inbox('small ones that take long leave the rest, in order, to the turns that follow', () => {
  const scene = new Scene(undefined, ({ clock }) => clock.advance(0.5));
  scene.arrive(...[1, 2, 3, 4, 5].map(small), large(6));
  assert.equal(scene.take(), [1, 2]);
  scene.arrive(small(7));
  assert.equal(scene.take(), [], 'what comes meanwhile waits its turn');
  const turns = [];
  while (scene.turn()) turns.push(scene.take());
  assert.equal(turns, [[3, 4], [5, 7], [6]]);
});

inbox('of many small ones no more than a few are handed over in one turn, however quick they are', () => {
  const scene = new Scene();
  scene.arrive(...Array.from({ length: 100 }, (_, id) => small(id)));
  const turns = [scene.take().length];
  while (scene.turn()) turns.push(scene.take().length);
  assert.equal(turns, [32, 32, 32, 4]);
});

inbox('many small ones that come one by one leave the loop to others as often as those that come at once', () => {
  const scene = new Scene();
  for (let id = 0; id < 50; id++) scene.arrive(small(id));
  assert.is(scene.take().length, 32);
  while (scene.turn());
  assert.is(scene.take().length, 18);
});

inbox('while reading rests nothing is handed over, and what waits keeps its order', () => {
  const scene = new Scene(undefined, (one) => {
    if (one.heard.length === 2) one.resting = true;
  });
  scene.arrive(...[1, 2, 3, 4].map(small), large(5));
  assert.equal(scene.take(), [1, 2]);
  scene.turn();
  scene.arrive(small(6));
  assert.equal(scene.take(), []);
  scene.resting = false;
  while (scene.turn()) scene.resting = false;
  assert.equal(scene.take(), [3, 4, 6, 5]);
});

inbox('small ones without end do not keep a large one waiting for ever', () => {
  const scene = new Scene(undefined, ({ clock }) => clock.advance(3));
  scene.arrive(large(100), ...Array.from({ length: 20 }, (_, index) => small(index)));
  scene.take();
  // One in which they have used up the slice, one in which it is parsed, another one of theirs, and its own.
  for (let turn = 0; turn < 4; turn++) scene.turn();
  assert.ok(scene.take().includes(100));
});

inbox('bulk that comes faster than it is served pauses the reading, and goes on as it is answered', () => {
  const scene = new Scene(3 * largeFrameBytes);
  let sent = 0;
  let most = 0;
  const served: unknown[] = [];
  while (served.length < 40) {
    while (!scene.paused && sent < 40) scene.arrive(large(++sent));
    most = Math.max(most, scene.inbox.waitingBytes);
    while (scene.turn());
    const now = scene.take();
    assert.ok(now.length <= 2, 'no more in work than there is room for');
    served.push(...now);
    for (const id of now) scene.inbox.answered(id as number);
  }
  assert.equal(
    served,
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  assert.ok(most <= maxFrameBytes + 2 * largeFrameBytes, `${most} bytes waited`);
  assert.equal(scene.refused, []);
  while (scene.turn());
  assert.not(scene.paused);
});

inbox(
  'a large request that finds no room in time is refused, those after it at once, until there is room again',
  () => {
    const scene = new Scene(largeFrameBytes);
    scene.arrive(large(1), large(2), small(3), large(4));
    while (scene.turn());
    assert.equal(scene.take(), [3, 1]);
    scene.clock.advance(10_000);
    while (scene.turn());
    assert.equal(scene.refused.splice(0), [
      { id: 2, error: 'busy' },
      { id: 4, error: 'busy' },
    ]);
    scene.inbox.answered(1);
    scene.arrive(large(5));
    while (scene.turn());
    assert.equal(scene.take(), [5]);
    assert.is(scene.clock.pendingTimers, 0);
  },
);

inbox('large answers are taken however many requests are in work', () => {
  const scene = new Scene(largeFrameBytes);
  scene.arrive(large(1), { id: 7, result: { bulk } });
  while (scene.turn());
  assert.equal(scene.take(), [1, 7]);
});

inbox('half a frame has a deadline, but not while this side does not read', () => {
  const scene = new Scene();
  const encoded = [1, 2, 3, 4, 5, 6].map((id) => encodeMessage({ jsonrpc: '2.0', ...large(id) }, maxFrameBytes));
  const bytes = encodeFrames(encoded);
  scene.inbox.push(bytes.subarray(0, bytes.byteLength - 10));
  assert.ok(scene.paused);
  scene.clock.advance(5_000);
  assert.is(scene.broken, undefined);
  while (scene.turn());
  assert.not(scene.paused);
  scene.clock.advance(1_000);
  assert.is((scene.broken as { word?: string }).word, 'invalid_message');
});

inbox('what came whole before a broken frame counts, and nothing after it', () => {
  const scene = new Scene();
  const whole = encodeFrames([encodeMessage({ jsonrpc: '2.0', ...small(1) }, maxFrameBytes)]);
  scene.inbox.push(Buffer.concat([whole, Uint8Array.of(0, 0, 0, 0), whole]));
  assert.equal(scene.take(), [1]);
  assert.is((scene.broken as { word?: string }).word, 'invalid_message');
  scene.arrive(small(2));
  assert.equal(scene.take(), []);
});

inbox('the end of reading is told when all that came was handed over', () => {
  const scene = new Scene();
  let empty = 0;
  scene.arrive(large(1), large(2));
  scene.inbox.whenEmpty(() => empty++);
  scene.turn();
  assert.is(empty, 0);
  while (scene.turn());
  assert.is(empty, 1);
  assert.equal(scene.take(), [1, 2]);
});

inbox.run();
