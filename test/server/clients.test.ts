/** Both official clients over real HTTP, each in its own era: lists, calls, failures, progress, cancellation. */

import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { operationNames, operations } from '../../src/mesh/operations.ts';
import { tools } from '../../src/server/tools.ts';
import { suite } from '../tooling/suite.ts';
import { type ClientKind, clientKinds, connectClient, type Progress } from './clients.ts';
import { aborted, exampleTask, inputs, taskId } from './fake-mesh.ts';
import { type Served, withServer } from './serve.ts';

const revisions: Record<ClientKind, string> = { 'current SDK': '2026-07-28', 'SDK 1.x': '2025-11-25' };
const waitTool = operations.wait.tool;

/** As a client gets it: JSON. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

for (const kind of clientKinds) {
  const clients = suite(`${kind}`);

  const withClient = (
    test: (served: Served, client: Awaited<ReturnType<typeof connectClient>>) => Promise<void>,
  ): Promise<void> =>
    withServer({}, async (served) => {
      const client = await connectClient(kind, served.url);
      served.defer(() => client.close());
      await test(served, client);
    });

  clients('agrees on its revision and hears who the server is', () =>
    withClient(async (_served, client) => {
      assert.is(client.revision, revisions[kind]);
      assert.is(client.server?.name, 'taskmesh');
      assert.is(client.server?.version, '0.0.0-test');
      assert.match(client.instructions ?? '', /p2p_taskqueue_wait_task/);
    }),
  );

  clients('lists the tools whole', () =>
    withClient(async (_served, client) => {
      assert.equal(await client.tools(), asJson(tools));
    }),
  );

  clients('calls every tool, and its output check accepts every answer', () =>
    withClient(async ({ fake }, client) => {
      await client.tools();
      for (const name of operationNames) {
        const answer = await client.call(operations[name].tool, inputs[name]);
        assert.is(answer.isError ?? false, false, name);
        assert.is(answer.structuredContent?.ok, true, name);
        assert.equal(answer.content, [{ type: 'text', text: JSON.stringify(answer.structuredContent) }], name);
      }
      assert.equal(
        fake.calls.map((call) => call.name),
        operationNames,
      );
    }),
  );

  clients('gets a failure as an answer that its output check accepts', () =>
    withClient(async ({ fake }, client) => {
      await client.tools();
      for (const name of operationNames) {
        fake.on(name, () => Promise.reject(new MeshError('queue_full', 'Full. Wait.', { details: { max_tasks: 1 } })));
        const answer = await client.call(operations[name].tool, inputs[name]);
        assert.is(answer.isError, true, name);
        assert.equal(answer.structuredContent, {
          ok: false,
          error: 'queue_full',
          message: 'Full. Wait.',
          retryable: true,
          details: { max_tasks: 1 },
        });
      }
    }),
  );

  clients('gets nothing of an unknown error but its code', () =>
    withClient(async ({ fake }, client) => {
      fake.on('get', () => Promise.reject(new Error('secret path /root')));
      const answer = await client.call(operations.get.tool, inputs.get);
      assert.is(answer.structuredContent?.error, 'internal_error');
      assert.not.match(JSON.stringify(answer), /secret/);
    }),
  );

  clients('hears which field has the wrong type, and the mesh is not asked', () =>
    withClient(async ({ fake }, client) => {
      const answer = await client.call(operations.submit.tool, { priority: 'high' });
      assert.is(answer.structuredContent?.error, 'invalid_params');
      assert.match(String(answer.structuredContent?.message), /priority/);
      assert.is(fake.calls.length, 0);
    }),
  );

  clients('hears that a tool does not exist, by name', () =>
    withClient(async (_served, client) => {
      const thrown = await client.call('no_such_tool', {}).catch((error: unknown) => error);
      assert.is((thrown as { code: number }).code, -32602);
      assert.match((thrown as Error).message, /no_such_tool/);
    }),
  );

  clients('gets 64 levels through and hears that 65 are too deep', () =>
    withClient(async ({ fake }, client) => {
      const fits = await client.call(operations.cache_set.tool, { key: 'k', value: nested(64) });
      assert.is(fits.structuredContent?.ok, true);
      const answer = await client.call(operations.cache_set.tool, { key: 'k', value: nested(65) });
      assert.is(answer.structuredContent?.error, 'too_deep');
      assert.is(fake.calls.length, 1);
    }),
  );

  clients('hears progress while it waits', () =>
    withClient(async ({ fake }, client) => {
      const heard: Progress[] = [];
      const secondHeard = Promise.withResolvers<void>();
      fake.on('wait', async (_input, { onProgress }) => {
        onProgress?.({ task_id: taskId, status: 'running', attempt: 1, progress: { done: 3, of: 10 } });
        onProgress?.({ task_id: taskId, status: 'running', attempt: 2, progress: 'half' });
        await secondHeard.promise;
        return { task: exampleTask, done: false };
      });
      const answer = await client.call(waitTool, inputs.wait, {
        onprogress(progress) {
          heard.push(progress);
          if (heard.length === 2) secondHeard.resolve();
        },
      });
      assert.is(answer.structuredContent?.ok, true);
      assert.is(heard[0]?.progress, 3);
      assert.is(heard[0]?.total, 10);
      assert.equal(heard[1]?._meta?.['taskmesh/progress'], {
        task_id: taskId,
        status: 'running',
        attempt: 2,
        progress: 'half',
      });
      assert.match(heard[1]?.message ?? '', /attempt 2: half/);
      assert.ok((heard[1]?.progress ?? 0) > 3, 'progress grows even when the worker gives no number');
    }),
  );

  clients('asks for no progress, and the mesh is not asked to report', () =>
    withClient(async ({ fake }, client) => {
      await client.call(waitTool, inputs.wait);
      assert.is(fake.calls[0]?.options.onProgress, undefined);
    }),
  );

  clients('cancels, and the mesh hears it', () =>
    withClient(async ({ fake }, client) => {
      const heard = Promise.withResolvers<void>();
      const giveUp = new AbortController();
      fake.on('wait', async (_input, { signal }) => {
        giveUp.abort('enough');
        await aborted(signal);
        heard.resolve();
        throw signal?.reason;
      });
      const thrown = await client
        .call(waitTool, inputs.wait, { signal: giveUp.signal })
        .catch((error: unknown) => error);
      assert.ok(thrown instanceof Error);
      await heard.promise;
    }),
  );

  clients('has many calls in flight at once, and each gets its own answer', () =>
    withClient(async ({ fake }, client) => {
      const all = Promise.withResolvers<void>();
      fake.on('cache_get', async ({ key }) => {
        if (fake.calls.length === 20) all.resolve();
        await all.promise;
        return { key, hit: true, value: key };
      });
      const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
      const answers = await Promise.all(keys.map((key) => client.call(operations.cache_get.tool, { key })));
      assert.equal(
        answers.map((answer) => answer.structuredContent?.value),
        keys,
      );
    }),
  );

  clients.run();
}
