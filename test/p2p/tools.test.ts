import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { defaultGrant } from '../../src/mesh/grant.ts';
import { createNode } from '../../src/p2p/node.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { connect, failureOf, optionsIn, startNode } from './support.ts';

const source = `
let stopped = false;
export default {
  add: { description: 'Adds.', run: ({ a, b }) => a + b },
  nothing: { description: 'Answers nothing.', run: () => undefined },
  broken: { description: 'Throws.', run: () => { throw new Error('out of paper'); } },
  large: { description: 'Answers too much.', run: () => 'x'.repeat(2_000_000) },
  cyclic: { description: 'Answers what JSON cannot hold.', run: () => { const self = {}; self.self = self; return self; } },
  slow: {
    description: 'Waits until it is stopped.',
    run: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => { stopped = true; resolve(0); })),
  },
  wasStopped: { description: 'Whether slow was stopped.', run: () => stopped },
};
`;

const tools = suite('tools offered to peers');

tools('a peer’s tool is called, and everything that can go wrong has its code', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('tools.mjs'), source);
  await using b = await startNode({
    toolsModule: folder.file('tools.mjs'),
    defaultGrant: { ...defaultGrant, tools: ['*'] },
  });
  await using a = await startNode();
  await connect(a, b);
  const call = (tool_name: string, args = {}, timeout_s = 10) =>
    a.mesh.call('call_tool', { tool_name, args, timeout_s, remote_peer_id: b.peerId });

  assert.equal(await call('add', { a: 2, b: 3 }), { tool: 'add', result: 5 });
  assert.equal(await call('nothing'), { tool: 'nothing', result: null });
  const broken = await failureOf(call('broken'));
  assert.is(broken.code, 'tool_error');
  assert.match(broken.message, /out of paper/);
  assert.is((await failureOf(call('cyclic'))).code, 'tool_error');
  assert.is((await failureOf(call('large'))).code, 'payload_too_large');
  const unknown = await failureOf(call('subtract'));
  assert.is(unknown.code, 'unknown_tool');
  assert.match(unknown.message, /add, nothing/);
  assert.is((await failureOf(call('slow', {}, 0.05))).code, 'timeout');
  assert.is((await call('wasStopped')).result, true, 'the tool was told to stop');
  assert.is((await failureOf(a.mesh.call('call_tool', { tool_name: 'add' }))).code, 'tools_disabled');
  const { capabilities } = await a.mesh.call('status', { remote_peer_id: b.peerId });
  assert.ok(capabilities.tools.includes('add'));
});

tools('a module that is missing or has another shape is refused at start, and says why', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('shape.mjs'), 'export default { add: { description: 7 } };');
  for (const [file, why] of [
    ['missing.mjs', /missing\.mjs/],
    ['shape.mjs', /description/],
  ] as const) {
    const error = await failureOf(createNode(optionsIn(folder.path, { toolsModule: folder.file(file) })).start());
    assert.is(error.code, 'invalid_config');
    assert.match(error.message, why);
  }
});

tools.run();
