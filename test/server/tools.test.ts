/** The tools are the table: names, order, schemas, hints. */

import * as assert from 'uvu/assert';
import { answerJsonSchema, inputJsonSchema } from '../../src/mesh/answer.ts';
import { operationEntry, operationNames, operations } from '../../src/mesh/operations.ts';
import { mayWaitMs, tools } from '../../src/server/tools.ts';
import { suite } from '../tooling/suite.ts';

const list = suite('tools');

/** What users and models see first; a change of it is a decision. */
const storedOrder = [
  'p2p_taskqueue_status',
  'p2p_taskqueue_submit',
  'p2p_taskqueue_submit_many',
  'p2p_taskqueue_claim_next',
  'p2p_taskqueue_heartbeat',
  'p2p_taskqueue_complete_task',
  'p2p_taskqueue_fail_task',
  'p2p_taskqueue_release_task',
  'p2p_taskqueue_cancel_task',
  'p2p_taskqueue_get_task',
  'p2p_taskqueue_list_tasks',
  'p2p_taskqueue_wait_task',
  'p2p_taskqueue_retry_task',
  'list_peers',
  'discover_peers',
  'connect_peer',
  'p2p_taskqueue_call_tool',
  'p2p_mcp_request',
  'p2p_taskqueue_cache_get',
  'p2p_taskqueue_cache_set',
  'p2p_taskqueue_cache_has',
  'p2p_taskqueue_cache_delete',
];

list('come in the stored order', () => {
  assert.equal(
    tools.map((tool) => tool.name),
    storedOrder,
  );
});

list('say what the table says, each of them', () => {
  assert.is(tools.length, operationNames.length);
  for (const [at, name] of operationNames.entries()) {
    const tool = tools[at];
    const entry = operationEntry(name);
    assert.is(tool?.name, entry.tool);
    assert.is(tool?.title, entry.title);
    assert.is(tool?.description, entry.description);
    assert.equal(tool?.inputSchema, inputJsonSchema(name));
    assert.equal(tool?.outputSchema, answerJsonSchema(name));
    assert.is(tool?.annotations?.readOnlyHint, entry.hints.readOnly);
    assert.is(tool?.annotations?.idempotentHint, entry.hints.idempotent);
    assert.is(tool?.annotations?.destructiveHint, entry.hints.destructive);
  }
});

list('that ask only this node have no open world', () => {
  const open = new Map(tools.map((tool) => [tool.name, tool.annotations?.openWorldHint]));
  assert.is(open.get(operations.peers.tool), false);
  assert.is(open.get(operations.discover.tool), true);
  assert.is(open.get(operations.submit.tool), true);
});

list('say how long a call may wait, from its input and its defaults', () => {
  assert.is(mayWaitMs(operations.wait.tool, { timeout_s: 2 }), 2_000);
  assert.is(mayWaitMs(operations.wait.tool, {}), 60_000);
  assert.is(mayWaitMs(operations.claim.tool, undefined), 0);
  assert.is(mayWaitMs(operations.claim.tool, { wait_s: 600 }), 600_000);
});

list('wait for nothing when there is no such tool, nothing to wait for, or the input does not fit', () => {
  assert.is(mayWaitMs('no_such_tool', {}), 0);
  assert.is(mayWaitMs(operations.submit.tool, {}), 0);
  for (const timeout_s of ['x', -1, null, {}]) assert.is(mayWaitMs(operations.wait.tool, { timeout_s }), 0);
});

list.run();
