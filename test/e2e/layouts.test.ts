/** The same tools, whole, whatever runs them and wherever the P2P node is. */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { layouts } from '../../src/mesh/node-options.ts';
import { clientKinds, connectClient } from '../server/clients.ts';
import { type RuntimeName, startService } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('every layout');

const runtimes: RuntimeName[] = ['node', 'deno'];

for (const kind of clientKinds) {
  test(`${kind}: the tool lists of both runtimes in all layouts are the same to the byte`, async () => {
    await using folder = await tempFolder();
    const lists = new Map<string, string>();
    for (const runtime of runtimes) {
      for (const layout of layouts) {
        const data = join(folder.path, `${runtime}-${layout}`);
        await using service = await startService({ runtime, layout, data, flags: ['--no-mdns'] });
        const client = await connectClient(kind, service.url);
        lists.set(`${runtime} ${layout}`, JSON.stringify(await client.tools()));
        const status = (await client.call('p2p_taskqueue_status', {})).structuredContent;
        assert.is(status?.ok, true, JSON.stringify(status));
        assert.is(status?.layout, layout);
        assert.is(JSON.stringify(status?.runtime ?? null).includes(runtime), true);
        await client.close();
      }
    }
    const [first] = lists.values();
    assert.ok(JSON.parse(first ?? '[]').length > 20);
    for (const [where, list] of lists) assert.is(list, first, where);
  });
}

test.run();
