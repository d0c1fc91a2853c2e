/** A data folder that is not there yet, nor the folder above it: each runtime and layout makes them. */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { layouts } from '../../src/mesh/node-options.ts';
import { type RuntimeName, startService } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('a new data folder');

for (const runtime of ['node', 'deno'] as RuntimeName[])
  for (const layout of layouts)
    test(`${runtime}, layout ${layout}: folders above the data folder are made`, async () => {
      await using folder = await tempFolder();
      const flags = ['--no-mdns', '--data', join(folder.path, 'above', layout)];
      await using service = await startService({ runtime, layout, data: join(folder.path, 'data'), flags });
      assert.is((await service.stop()).code, 0);
    });

test.run();
