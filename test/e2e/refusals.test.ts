/** What a service that cannot start says, and that it ends. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type RuntimeName, refusedService, startService } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('refusals');
const runtimes: RuntimeName[] = ['node', 'deno'];

for (const runtime of runtimes) {
  test(`${runtime}: a port in use is named, and the node does not stay behind`, async () => {
    await using folder = await tempFolder();
    await using first = await startService({ runtime, data: join(folder.path, 'a'), flags: ['--no-mdns'] });
    const { port } = new URL(first.url);
    const { code, output } = await refusedService({
      runtime,
      data: join(folder.path, 'b'),
      flags: ['--no-mdns', '--port', port],
    });
    assert.is(code, 1, output);
    assert.match(output, 'address_in_use');
    assert.match(output, port);
  });

  test(`${runtime}: a data folder that another node holds is named`, async () => {
    await using folder = await tempFolder();
    const data = join(folder.path, 'shared');
    await using _first = await startService({ runtime, data, flags: ['--no-mdns'] });
    const { code, output } = await refusedService({ runtime, data, flags: ['--no-mdns'] });
    assert.is(code, 1, output);
    assert.match(output, 'data_folder_locked');
    assert.match(output, data);
  });

  test(`${runtime}: a folder held by a node that was killed is free again, and what it accepted is there`, async () => {
    await using folder = await tempFolder();
    const data = join(folder.path, 'killed');
    const first = await startService({ runtime, data, flags: ['--no-mdns'] });
    await first.kill();
    await using second = await startService({ runtime, data, flags: ['--no-mdns'] });
    assert.is(second.peerId, first.peerId);
  });

  test(`${runtime}: a corrupt queue is refused, with the file's name and what to do`, async () => {
    await using folder = await tempFolder();
    const data = join(folder.path, 'corrupt');
    await mkdir(data, { mode: 0o700 });
    await writeFile(join(data, 'queue.sqlite'), 'this is not a database '.repeat(500));
    const { code, output } = await refusedService({ runtime, data, flags: ['--no-mdns'] });
    assert.is(code, 1, output);
    assert.match(output, 'data_corrupt');
    assert.match(output, 'queue.sqlite');
  });

  test(`${runtime}: listening beyond loopback without a mesh key is refused, with the command that makes one`, async () => {
    await using folder = await tempFolder();
    const flags = ['--no-mdns', '--p2p-listen', '/ip4/0.0.0.0/tcp/0'];
    const { code, output } = await refusedService({ runtime, data: join(folder.path, 'open'), flags });
    assert.ok(code !== 0, output);
    assert.match(output, 'taskmesh init');
  });

  test(`${runtime}: a bad multiaddr is named`, async () => {
    await using folder = await tempFolder();
    const flags = ['--no-mdns', '--p2p-listen', '/ip4/127.0.0.1/tpc/0'];
    const { code, output } = await refusedService({ runtime, data: join(folder.path, 'bad'), flags });
    assert.ok(code !== 0, output);
    assert.match(output, '/ip4/127.0.0.1/tpc/0');
  });
}

test.run();
