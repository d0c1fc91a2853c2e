/** Sessions of clients before 2026-07-28: bounded, ended when idle, owned. Time is turned by hand. */

import * as assert from 'uvu/assert';
import { operations } from '../../src/mesh/operations.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { aborted, exampleTask, inputs } from './fake-mesh.ts';
import { errorOf, initialize, inSession, oldHeaders, openSession, post, resultOf } from './raw.ts';
import { withServer } from './serve.ts';

const sessions = suite('sessions');

const idleMs = 1_000;

/** Whether the session still answers. */
async function lives(url: string, session: string): Promise<boolean> {
  const response = await inSession(url, session, 'ping');
  await response.text();
  return response.status === 200;
}

function openStream(url: string, session: string, signal?: AbortSignal): Promise<Response> {
  const headers = { Accept: 'text/event-stream', 'Mcp-Session-Id': session };
  return fetch(url, { headers, ...(signal ? { signal } : {}) });
}

sessions('an idle session is ended, and its client is told to begin anew', () => {
  const clock = new FakeClock();
  return withServer({ clock, limits: { sessionIdleMs: idleMs } }, async ({ url, app }) => {
    const session = await openSession(url);
    clock.advance(idleMs - 1);
    assert.ok(await lives(url, session), 'a request begins the idle time again');
    clock.advance(idleMs - 1);
    assert.is(app.sessions, 1);
    clock.advance(1);
    assert.is(app.sessions, 0);
    const response = await inSession(url, session, 'ping');
    assert.is(response.status, 404);
    assert.match((await errorOf(response)).message, /initialize/);
    assert.is(clock.pendingTimers, 0);
  });
});

sessions('a session is not idle while a call of it runs', () => {
  const clock = new FakeClock();
  return withServer({ clock, limits: { sessionIdleMs: idleMs } }, async ({ url, app, fake }) => {
    const session = await openSession(url);
    const running = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    fake.on('wait', async () => {
      running.resolve();
      await go.promise;
      return { task: exampleTask, done: false };
    });
    const call = inSession(url, session, 'tools/call', { name: operations.wait.tool, arguments: inputs.wait });
    await running.promise;
    clock.advance(10 * idleMs);
    assert.is(app.sessions, 1);
    go.resolve();
    assert.is((await resultOf(await call)).isError, false);
    clock.advance(idleMs);
    assert.is(app.sessions, 0);
  });
});

sessions('an open stream keeps its session, and a second one is refused', () => {
  const clock = new FakeClock();
  return withServer({ clock, limits: { sessionIdleMs: idleMs } }, async ({ url, app, defer }) => {
    const session = await openSession(url);
    const stream = await openStream(url, session);
    defer(() => stream.body?.cancel());
    assert.is(stream.status, 200);
    assert.match(stream.headers.get('content-type') ?? '', /^text\/event-stream/);
    clock.advance(10 * idleMs);
    assert.is(app.sessions, 1);
    const second = await openStream(url, session);
    assert.is(second.status, 409);
    await second.text();
  });
});

sessions('the session that is idle for longest makes room for a new one', () => {
  const clock = new FakeClock();
  return withServer({ clock, limits: { maxSessions: 3 } }, async ({ url, app }) => {
    const [first, second, third] = [await openSession(url), await openSession(url), await openSession(url)];
    assert.ok(await lives(url, first));
    const fourth = await openSession(url);
    assert.is(app.sessions, 3);
    assert.not(await lives(url, second), 'the second was idle for longest');
    for (const session of [first, third, fourth]) assert.ok(await lives(url, session));
  });
});

sessions('when none is idle a new session is refused, and the others go on', () =>
  withServer({ limits: { maxSessions: 2 } }, async ({ url, app, defer }) => {
    const opened = [await openSession(url), await openSession(url)];
    for (const session of opened) {
      const stream = await openStream(url, session);
      defer(() => stream.body?.cancel());
    }
    const refused = await initialize(url);
    assert.is(refused.status, 503);
    assert.is(refused.headers.get('retry-after'), '1');
    assert.match((await errorOf(refused)).message, /All 2 sessions/);
    assert.is(app.sessions, 2);
    for (const session of opened) assert.ok(await lives(url, session));
  }),
);

sessions('however many begin at once, there are never more than allowed', () =>
  withServer({ limits: { maxSessions: 5 } }, async ({ url, app }) => {
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const response = await initialize(url);
        assert.ok(app.sessions <= 5, `${app.sessions} sessions`);
        await response.text();
        return response.status;
      }),
    );
    assert.ok(statuses.every((status) => status === 200 || status === 503));
    assert.ok(app.sessions <= 5);
  }),
);

sessions('DELETE ends a session and aborts what it does', () =>
  withServer({}, async ({ url, app, fake }) => {
    const session = await openSession(url);
    const running = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<void>();
    fake.on('wait', async (_input, { signal }) => {
      running.resolve();
      await aborted(signal);
      stopped.resolve();
      throw signal?.reason;
    });
    const call = inSession(url, session, 'tools/call', { name: operations.wait.tool, arguments: inputs.wait });
    await running.promise;
    const deleted = await fetch(url, { method: 'DELETE', headers: { 'Mcp-Session-Id': session } });
    assert.is(deleted.status, 200);
    await stopped.promise;
    assert.is(app.sessions, 0);
    await (await call).text();
    assert.not(await lives(url, session));
  }),
);

sessions('a request without a session, or with an unknown one, opens none', () =>
  withServer({}, async ({ url, app }) => {
    const without = await post(url, { jsonrpc: '2.0', id: 1, method: 'tools/list' });
    assert.is(without.status, 400);
    assert.match((await errorOf(without)).message, /initialize/);
    const unknown = await inSession(url, 'no-such-session', 'tools/list');
    assert.is(unknown.status, 404);
    await unknown.text();
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '0' } };
    const wrongAccept = await fetch(url, {
      method: 'POST',
      headers: { ...oldHeaders, Accept: 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
    });
    assert.is(wrongAccept.status, 406);
    await wrongAccept.text();
    assert.is(app.sessions, 0);
  }),
);

sessions('a batch of revision 2025-03-26 is answered whole', () =>
  withServer({}, async ({ url }) => {
    const session = await openSession(url, '2025-03-26');
    const call = (id: number) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: operations.get.tool, arguments: inputs.get, _meta: { progressToken: id } },
    });
    const response = await post(url, [call(7), call(8)], { 'Mcp-Session-Id': session });
    const text = await response.text();
    assert.match(text, /"id":7/);
    assert.match(text, /"id":8/);
  }),
);

sessions('closing the app ends all sessions and leaves no timer', () => {
  const clock = new FakeClock();
  return withServer({ clock }, async ({ url, app }) => {
    await openSession(url);
    await openSession(url);
    assert.is(clock.pendingTimers, 2);
    await app.close();
    assert.is(app.sessions, 0);
    assert.is(clock.pendingTimers, 0);
    const after = await initialize(url);
    assert.is(after.status, 503);
    await after.text();
  });
});

sessions.run();
