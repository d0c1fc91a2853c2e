/** `/metrics`: what it counts, that it never hangs, and that its page in the documentation is whole. */

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import type { BridgeHealth } from '../../src/mesh/health.ts';
import { LoopDelay } from '../../src/server/loop-delay.ts';
import { MeshMetrics } from '../../src/server/mesh-metrics.ts';
import { Registry } from '../../src/server/prometheus.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { aborted, FakeMesh, inputs, outputs } from './fake-mesh.ts';
import { exchange, inSession, modernCall, openSession } from './raw.ts';
import { type Served, withServer } from './serve.ts';

const test = suite('metrics');

const submit = 'p2p_taskqueue_submit';

/** The samples of one scrape by their full name, labels included. */
async function scrape({ url }: Pick<Served, 'url'>): Promise<Map<string, number>> {
  const text = await scrapeText(url);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const [, name = '', value = ''] = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
      assert.is.not(name, '', line);
      return [name, Number(value)];
    }),
  );
}

async function scrapeText(url: string): Promise<string> {
  const response = await fetch(new URL('/metrics', url));
  assert.is(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return response.text();
}

const up: BridgeHealth = { layout: 'worker', state: 'up', restarts: 0, in_flight: 0, since: 1, last_error: null };

test('calls are counted by tool and outcome, of either revision, with how long they took', () =>
  withServer({}, async (served) => {
    const before = await scrape(served);
    assert.is(before.get(`taskmesh_calls_total{tool="${submit}",code="ok"}`), 0);
    await (await modernCall(served.url, submit, inputs.submit)).text();
    await (await modernCall(served.url, submit, { priority: 'high' })).text();
    const session = await openSession(served.url);
    await (await inSession(served.url, session, 'tools/call', { name: submit, arguments: inputs.submit })).text();
    const after = await scrape(served);
    assert.is(after.get(`taskmesh_calls_total{tool="${submit}",code="ok"}`), 2);
    assert.is(after.get(`taskmesh_calls_total{tool="${submit}",code="invalid_params"}`), 1);
    assert.is(after.get(`taskmesh_call_duration_seconds_count{tool="${submit}"}`), 3);
    assert.is(after.get(`taskmesh_call_duration_seconds_bucket{le="600",tool="${submit}"}`), 3);
    assert.is(after.get(`taskmesh_calls_in_flight{tool="${submit}"}`), 0);
    assert.is(after.get('taskmesh_mcp_sessions'), 1);
    assert.ok((after.get('taskmesh_http_connections') ?? 0) >= 1);
  }));

test('a call is in flight until it ends, also when its caller goes away', () =>
  withServer({}, async (served) => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    served.fake.on('wait', async (_input, { signal }) => {
      begun.resolve();
      await aborted(signal);
      ended.resolve();
      throw new MeshError('cancelled', 'The caller gave up.');
    });
    const caller = new AbortController();
    const call = modernCall(served.url, 'p2p_taskqueue_wait_task', inputs.wait, {}, caller.signal);
    call.catch(() => {});
    await begun.promise;
    assert.is((await scrape(served)).get('taskmesh_calls_in_flight{tool="p2p_taskqueue_wait_task"}'), 1);
    caller.abort();
    await ended.promise;
    const after = await scrape(served);
    assert.is(after.get('taskmesh_calls_in_flight{tool="p2p_taskqueue_wait_task"}'), 0);
    assert.is(after.get('taskmesh_calls_total{tool="p2p_taskqueue_wait_task",code="cancelled"}'), 1);
  }));

test('names that callers invent do not become labels', () =>
  withServer({}, async (served) => {
    await (await modernCall(served.url, 'no_such_tool', {})).text();
    assert.not.match(await scrapeText(served.url), /no_such_tool/);
  }));

test('the mesh is asked at each scrape for its queue and peers', () =>
  withServer({}, async (served) => {
    const samples = await scrape(served);
    assert.is(samples.get('taskmesh_mesh_up'), 1);
    assert.is(samples.get('taskmesh_queue_tasks{status="running"}'), 1);
    assert.is(samples.get('taskmesh_queue_tasks{status="failed"}'), 0);
    assert.is(samples.get('taskmesh_connected_peers'), 0);
    assert.equal(
      served.fake.calls.map(({ name }) => name),
      ['status'],
    );
  }));

test('what the queue holds, and how much it takes, are figures to be alerted on', () =>
  withServer({}, async (served) => {
    const cache = { entries: 0, bytes: 0 };
    const detail = { protocols: [], waiters: 0, stored_bytes: 900, cache, limits: { maxStoredBytes: 1000 } };
    served.fake.on('status', async () => ({ ...outputs.status, detail }));
    const samples = await scrape(served);
    assert.is(samples.get('taskmesh_queue_bytes'), 900);
    assert.is(samples.get('taskmesh_queue_max_bytes'), 1000);
  }));

test('a mesh that says nothing holds up a scrape no longer than the deadline', async () => {
  const clock = new FakeClock();
  await withServer({ clock, limits: { metricsDeadlineMs: 700 } }, async (served) => {
    const asked = Promise.withResolvers<AbortSignal | undefined>();
    served.fake.on('status', (_input, { signal }) => {
      asked.resolve(signal);
      return new Promise(() => {});
    });
    const scraped = scrape(served);
    const signal = await asked.promise;
    clock.advance(699);
    assert.is(signal?.aborted, false);
    clock.advance(1);
    assert.is(signal?.aborted, true);
    const samples = await scraped;
    assert.is(samples.get('taskmesh_mesh_up'), 0);
    assert.is(samples.has('taskmesh_connected_peers'), false);
    assert.is(samples.has('taskmesh_queue_tasks{status="running"}'), false);
  });
});

test('scrapes at the same time ask the mesh once', async () => {
  const fake = new FakeMesh();
  const figures = new MeshMetrics(new Registry(), { mesh: fake.mesh, deadlineMs: 1_000, clock: new FakeClock() });
  await Promise.all([figures.refresh(), figures.refresh(), figures.refresh()]);
  assert.is(fake.calls.length, 1);
  await figures.refresh();
  assert.is(fake.calls.length, 2);
});

test('a mesh that fails is shown as down, and as up when it answers again', () =>
  withServer({}, async (served) => {
    served.fake.on('status', () => Promise.reject(new Error('gone')));
    assert.is((await scrape(served)).get('taskmesh_mesh_up'), 0);
    const { fake } = served;
    await withServer({}, async (other) => {
      fake.on('status', () => other.fake.mesh.call('status', {}));
      const again = await scrape(served);
      assert.is(again.get('taskmesh_mesh_up'), 1);
      assert.is(again.get('taskmesh_connected_peers'), 0);
    });
  }));

test('the bridge shows its state, and its restarts as a counter', async () => {
  let health = up;
  await withServer({ health: () => health }, async (served) => {
    const first = await scrape(served);
    assert.is(first.get('taskmesh_bridge_state{layout="worker",state="up"}'), 1);
    assert.is(first.get('taskmesh_bridge_state{layout="worker",state="restarting"}'), 0);
    assert.is(first.get('taskmesh_bridge_restarts_total'), 0);
    health = { ...up, state: 'restarting', restarts: 2, in_flight: 5 };
    for (let times = 0; times < 2; times += 1) {
      const next = await scrape(served);
      assert.is(next.get('taskmesh_bridge_state{layout="worker",state="up"}'), 0);
      assert.is(next.get('taskmesh_bridge_state{layout="worker",state="restarting"}'), 1);
      assert.is(next.get('taskmesh_bridge_restarts_total'), 2);
      assert.is(next.get('taskmesh_bridge_calls_in_flight'), 5);
    }
  });
});

test('two apps in one process do not count into each other', () =>
  withServer({}, (one) =>
    withServer({}, async (two) => {
      await (await modernCall(one.url, submit, inputs.submit)).text();
      assert.is((await scrape(one)).get(`taskmesh_calls_total{tool="${submit}",code="ok"}`), 1);
      assert.is((await scrape(two)).get(`taskmesh_calls_total{tool="${submit}",code="ok"}`), 0);
    }),
  ));

test('a Host that is not ours reads no metrics', () =>
  withServer({}, async ({ url, fake }) => {
    const answer = await exchange(url, 'GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 403 /);
    assert.is(fake.calls.length, 0);
  }));

test('the loop is measured from the first scrape until the app closes', async () => {
  const clock = new FakeClock();
  let idleTimers = 0;
  await withServer({ clock }, async (served) => {
    idleTimers = clock.pendingTimers;
    await scrape(served);
    clock.advance(1_000);
    const samples = await scrape(served);
    assert.is(samples.get('taskmesh_event_loop_delay_seconds_count'), 10);
    assert.is(clock.pendingTimers, idleTimers + 1);
    await served.app.close();
    assert.is(clock.pendingTimers, idleTimers);
  });
});

test('the delay of the loop is how much later than asked a timer fires', () => {
  let nowMs = 0;
  const armed: (() => void)[] = [];
  const delays: number[] = [];
  const late = new LoopDelay(
    {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      setTimer(_delayMs, fire) {
        armed.push(fire);
        return () => {};
      },
    },
    (delayMs) => delays.push(delayMs),
  );
  late.start();
  late.start();
  nowMs = 100;
  armed[0]?.();
  nowMs = 450;
  armed[1]?.();
  assert.equal(delays, [0, 250]);
  assert.is(armed.length, 3);
});

test('the page on deployment lists each metric with its type, and no other', () =>
  withServer({ health: () => up }, async ({ url }) => {
    const text = await scrapeText(url);
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const helps = [...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name);
    assert.equal(
      helps,
      types.map((type) => type.split(' ')[0]),
    );
    for (const type of types) assert.is(type.endsWith(' counter'), /_total /.test(type), type);
    const page = readFileSync(new URL('../../docs/deploy.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(taskmesh_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
    assert.equal(rows.sort(), types.sort());
  }));

test.run();
