/** The table of commands: all operations, and the commands that are more than one call. */

import { type OperationName, operationNames } from '../mesh/operations.ts';
import type { Command, Positional } from './command.ts';
import { grantCommand } from './grant.ts';
import { init } from './init.ts';
import { invite } from './invite.ts';
import { joinCommand } from './join.ts';
import { mcpRequest } from './mcp-request.ts';
import { callOperation, type OperationCommand, operationCommand } from './operation-command.ts';
import { p2p } from './p2p.ts';
import { proxy } from './proxy.ts';
import { revokeCommand } from './revoke.ts';
import { serve } from './serve.ts';
import { trustCommand } from './trust.ts';
import { waitFor } from './wait.ts';
import { work } from './work.ts';

const needed = (name: string, label: string): Positional => ({ name, label, required: true });
const optional = (name: string, label: string): Positional => ({ name, label, required: false });

const task = needed('task_id', 'TASK');
const lease = [task, needed('fence', 'FENCE')];
const key = needed('key', 'KEY');

const jsonHelp =
  'PAYLOAD is JSON; @path takes a file (JSON, or a text that becomes {"text": …}), - takes standard input in the same way.';

type Made = Omit<OperationCommand, 'operation'>;

const made: Readonly<Record<OperationName, Made>> = {
  status: { group: 'Nodes', examples: ['status', 'status --detail --json', 'status --peer 12D3KooW…'] },
  peers: { group: 'Nodes', examples: ['peers', 'peers --connected-only'] },
  discover: {
    group: 'Nodes',
    positionals: [optional('remote_multiaddr', 'MULTIADDR')],
    description:
      'Every way of finding others has its row, in the order in which they are tried; those that are off or named nobody say why.',
    examples: ['discover', 'discover /ip4/192.168.1.5/tcp/4001/p2p/12D3KooW… --timeout-s 10'],
  },
  connect: {
    group: 'Nodes',
    positionals: [needed('peer', 'MULTIADDR|PEER')],
    examples: ['connect /ip4/192.168.1.5/tcp/4001/p2p/12D3KooW…', 'connect 12D3KooW…'],
  },
  call_tool: {
    name: 'call',
    group: 'Nodes',
    positionals: [needed('tool_name', 'TOOL'), optional('args', 'ARGS')],
    description: 'ARGS is a JSON object, @path for a file with one, or - for standard input.',
    examples: [`call word_count '{"text": "to be or not to be"}' --peer 12D3KooW…`],
  },
  mcp_request: {
    group: 'Nodes',
    positionals: [needed('method', 'METHOD'), optional('params', 'PARAMS')],
    description:
      'METHOD is tools/list, tools/call or server/discover. PARAMS is a JSON object, @path for a file with one, or - for standard input. tools/call needs the name of the tool in it. A tool that failed, or is refused, is a failure here as it is of "taskmesh call".',
    run: mcpRequest,
    examples: [
      'mcp-request tools/list --peer 12D3KooW…',
      `mcp-request tools/call '{"name": "word_count", "arguments": {"text": "to be"}}' --peer 12D3KooW…`,
    ],
  },
  submit: {
    group: 'Give work',
    positionals: [needed('task_type', 'TYPE'), optional('payload', 'PAYLOAD')],
    description: `${jsonHelp} With --wait the command waits for the task and shows its result; its exit code is 0 only when the task is completed.`,
    flags: { wait: { kind: 'switch', summary: 'Wait for the task, show its progress, then its result.' } },
    examples: [
      'submit text.stats @README.md --wait',
      `submit text.stats '{"text": "to be or not to be"}' --priority 8`,
      'submit report.build --idempotency-key report-2026-11 --delay-s 60',
      'git log | taskmesh submit text.stats - --wait --json',
    ],
    async run(call, input) {
      const submitted = await callOperation(call, 'submit', input);
      if (call.flags.wait === true) return await waitFor(call, { task_id: submitted.task_id });
      const again = submitted.deduplicated ? ' (the first task under this idempotency key)' : '';
      return {
        answer: { ok: true, ...submitted },
        text: submitted.task_id,
        exitCode: 0,
        hint: `The task is ${submitted.status}${again}. Its result: taskmesh wait ${submitted.task_id}`,
      };
    },
  },
  submit_many: {
    group: 'Give work',
    positionals: [needed('tasks', 'TASKS')],
    description: 'TASKS is a JSON array of tasks with the fields of submit, @path for a file with one, or -.',
    examples: [`submit-many '[{"task_type": "text.stats", "payload": {"text": "a"}}]'`, 'submit-many @tasks.json'],
  },
  wait: {
    group: 'Give work',
    positionals: [task],
    description:
      'While the node or the task’s owner is away it is tried again. The exit code is 0 only when the task is completed.',
    defaultTexts: { timeout_s: 'until the task is finished' },
    examples: ['wait 0192f0c1…@12D3KooW…', 'wait 0192f0c1…@12D3KooW… --timeout-s 30 --json'],
    run: waitFor,
  },
  get: { group: 'Give work', positionals: [task], examples: ['get 0192f0c1…@12D3KooW…'] },
  list: {
    group: 'Give work',
    examples: ['list', 'list --status failed --limit 10', 'list --task-types text.stats --peer 12D3KooW…'],
  },
  cancel: {
    group: 'Give work',
    positionals: [task, optional('reason', 'REASON')],
    examples: ['cancel 0192f0c1…@12D3KooW… "not needed any more"'],
  },
  retry: { group: 'Give work', positionals: [task], examples: ['retry 0192f0c1…@12D3KooW… --delay-s 60'] },
  claim: {
    group: 'Do work',
    positionals: [{ ...optional('supported_task_types', 'TYPE'), rest: true }],
    description:
      'One step of a worker by hand; "taskmesh work" does all of them. The exit code is 1 when there was nothing to do.',
    examples: ['claim text.stats --wait-s 60 --lease-s 300'],
    exitCode: ({ task }) => (task === null ? 1 : 0),
  },
  heartbeat: {
    group: 'Do work',
    positionals: [...lease, optional('progress', 'PROGRESS')],
    examples: [`heartbeat 0192f0c1…@12D3KooW… 1 '{"done": 3, "of": 10}'`],
  },
  complete: {
    group: 'Do work',
    positionals: [...lease, optional('result', 'RESULT')],
    examples: [`complete 0192f0c1…@12D3KooW… 1 '{"words": 6}'`, 'complete 0192f0c1…@12D3KooW… 1 @result.json'],
  },
  fail: {
    group: 'Do work',
    positionals: [...lease, needed('error', 'ERROR')],
    examples: ['fail 0192f0c1…@12D3KooW… 1 "the file is damaged" --no-retry'],
  },
  release: {
    group: 'Do work',
    positionals: [...lease, optional('reason', 'REASON')],
    examples: ['release 0192f0c1…@12D3KooW… 1 "shutting down"'],
  },
  cache_get: {
    name: 'cache get',
    group: 'Cache',
    positionals: [key],
    description: 'The exit code is 1 when there is nothing under the key.',
    examples: ['cache get my-app/greeting', 'cache get my-app/greeting --peer 12D3KooW… --json'],
    exitCode: ({ hit }) => (hit === true ? 0 : 1),
  },
  cache_set: {
    name: 'cache set',
    group: 'Cache',
    positionals: [key, needed('value', 'VALUE')],
    description: 'VALUE is JSON, @path for a file, or - for standard input.',
    examples: [`cache set my-app/greeting '"hello"' --ttl-s 3600`, 'cache set my-app/table @table.json'],
  },
  cache_has: {
    name: 'cache has',
    group: 'Cache',
    positionals: [key],
    description: 'The exit code is 1 when there is nothing under the key.',
    examples: ['cache has my-app/greeting'],
    exitCode: ({ hit }) => (hit === true ? 0 : 1),
  },
  cache_delete: {
    name: 'cache delete',
    group: 'Cache',
    positionals: [key],
    examples: ['cache delete my-app/greeting'],
  },
};

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  serve,
  p2p,
  init,
  invite,
  joinCommand,
  grantCommand,
  revokeCommand,
  trustCommand,
  work,
  proxy,
  ...operationNames.map((operation) => operationCommand({ operation, ...made[operation] })),
];
