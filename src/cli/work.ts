/** `taskmesh work`: does tasks by running a program for each, until Ctrl-C. */

import { existsSync } from 'node:fs';
import { execRunner } from '../work/exec.ts';
import { programOf } from '../work/program.ts';
import { work as startWorker, type WorkEvent } from '../work/work.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { keepAlive } from './keep-alive.ts';
import { printable } from './style.ts';
import { duration } from './table.ts';
import { UsageError } from './usage-error.ts';

export const work: Command = {
  name: 'work',
  group: 'Do work',
  summary: 'Do tasks of some types by running a program for each, until Ctrl-C.',
  description:
    'The program gets the payload as JSON on standard input and answers on standard output: JSON, or else text. Lines on standard error are progress, as {"progress": …} or as text. ' +
    'Exit code 0 completes the task, any other one fails it with the last lines of standard error, and it is tried again while attempts are left; 75 says that it is worth it. ' +
    'A .ts or .js file is run by the runtime that runs taskmesh; Deno lets it read files and nothing else: for more write --exec "deno run --allow-net worker.ts". ' +
    'The command is split into words like in a shell, but no shell runs it. The program finds TASKMESH_TASK_ID, _TASK_TYPE, _ATTEMPT and _MODEL_NAME in its environment. ' +
    'Ctrl-C lets running tasks end within the grace, then gives them back. ' +
    'Only "taskmesh work" itself can end the program: if it is killed (kill -9), the program runs on while its task goes to another worker when the lease is over. A program notices when it writes to standard output or standard error, which are closed then; one that may not run twice should report progress, or run "taskmesh work" under systemd or in a container, which end everything together.',
  positionals: [],
  flags: {
    type: { kind: 'list', summary: 'Type of tasks to do; repeat it for more.', placeholder: 'TYPE' },
    exec: { kind: 'text', summary: 'Program to run for each task.', placeholder: 'COMMAND' },
    concurrency: { kind: 'text', summary: 'Tasks at the same time.', placeholder: 'NUMBER', defaultText: '1' },
    'lease-s': {
      kind: 'text',
      summary: 'How long the worker may be silent before its task is given to another.',
      placeholder: 'SECONDS',
      defaultText: '30',
    },
    'grace-s': {
      kind: 'text',
      summary: 'How long running tasks may go on after Ctrl-C.',
      placeholder: 'SECONDS',
      defaultText: '10',
    },
    'worker-id': {
      kind: 'text',
      summary: 'What the worker calls itself.',
      placeholder: 'TEXT',
      defaultText: '<host name>-<process id>',
    },
  },
  needs: 'client',
  examples: [
    'work --type text.stats --exec ./examples/text-stats.ts',
    'work --type image.resize,image.crop --exec "python3 images.py" --concurrency 4 --url http://127.0.0.1:7331/mcp',
    'work --type text.stats --exec ./examples/text-stats.ts --join --data ./worker-node --bootstrap ~/.taskmesh/announce.json',
  ],
  run: runWorker,
};

async function runWorker(call: CommandCall): Promise<Outcome> {
  const { context, flags, clock } = call;
  const types = ((flags.type ?? []) as string[]).flatMap((text) => text.split(',')).filter((type) => type !== '');
  if (types.length === 0) throw new UsageError('work needs --type: which tasks should it do?');
  if (typeof flags.exec !== 'string') throw new UsageError('work needs --exec: which program does the tasks?');
  const command = programOf(flags.exec, { ...context, exists: existsSync });
  const ended = { completed: 0, failed: 0, released: 0, cancelled: 0, lost: 0 };
  const options = {
    types,
    run: execRunner({ command, env: context.env, clock }),
    concurrency: numberOf(flags, 'concurrency', 1, 1),
    leaseMs: numberOf(flags, 'lease-s', 30, 1) * 1000,
    graceMs: numberOf(flags, 'grace-s', 10, 0) * 1000,
    workerId: typeof flags['worker-id'] === 'string' ? flags['worker-id'] : context.workerId,
    signal: call.signal,
    clock,
    onEvent(event: WorkEvent) {
      if (event.type === 'ended') ended[event.outcome]++;
      context.stderr.write(`${eventText(event)}\n`);
    },
  };
  const mesh = await call.mesh();
  context.stderr.write(`working on ${types.join(', ')} as ${options.workerId}; Ctrl-C stops\n`);
  using _ = keepAlive();
  await startWorker(mesh, options).done;
  const text = Object.entries(ended).flatMap(([outcome, count]) => (count > 0 ? [`${count} ${outcome}`] : []));
  return { answer: { ok: true, ...ended }, text: `Tasks: ${text.join(', ') || 'none'}.`, exitCode: 0 };
}

function eventText(event: WorkEvent): string {
  if (event.type === 'claim_failed') {
    return `waiting ${duration(event.retryInMs / 1000)}: ${printable(event.error.message)} (${event.error.code})`;
  }
  if (event.type === 'claim_refused')
    return event.refusals.map(({ message }) => `refused: ${printable(message)}`).join('\n');
  if (event.type === 'stopping') return stoppingText(event);
  const { task_id, task_type } = event.task;
  if (event.type === 'claimed') return `started ${printable(task_type)} ${task_id}`;
  const error = event.error === undefined ? '' : `: ${printable(event.error)}`;
  return `${event.outcome} ${printable(task_type)} ${task_id} in ${duration(event.durationMs / 1000)}${error}`;
}

function stoppingText({ running, graceMs }: Extract<WorkEvent, { type: 'stopping' }>): string {
  if (running === 0) return 'stopping';
  const tasks = `${running} ${running === 1 ? 'task' : 'tasks'}`;
  return `finishing ${tasks}, up to ${graceMs / 1000} s; Ctrl-C again stops now`;
}

function numberOf(flags: CommandCall['flags'], name: string, otherwise: number, least: number): number {
  const written = flags[name];
  if (written === undefined) return otherwise;
  const number = Number(written);
  if (written === '' || !Number.isFinite(number) || number < least) {
    throw new UsageError(`--${name} must be a number of at least ${least}, not "${written}".`);
  }
  return number;
}
