/** What those who give work ask on the Python listener: submit, get, list, wait, cancel, status. */

import { MeshError } from '../../mesh/errors.ts';
import type { OperationInput, OperationOutput } from '../../mesh/operations.ts';
import { splitTaskId, taskIdPattern, taskStatus } from '../../mesh/task.ts';
import { noteOf, numberOf, type Request, recordOf, textOf, textsOf } from './fields.ts';
import { asciiJson } from './json.ts';
import { legacyProtocol, sessionProtocol } from './messages.ts';
import type { OperationParts, ServeOperation } from './operation-parts.ts';
import { type Row, rowOf } from './rows.ts';
import { expandTaskTypes } from './task-types.ts';

/** What the envelope of a list takes of a frame, in bytes; generous. */
const envelopeBytes = 2_048;

/** Tasks that are read at once for a list. */
const pageSize = 100;

export function serveQueue(parts: OperationParts): Record<string, ServeOperation> {
  const { book, everybody, limits, scheduler } = parts;
  const mesh = parts.meshFor(everybody);

  /** The task's own id, or undefined for what can be no id. */
  const idIn = async (request: Request): Promise<string | undefined> => {
    const told = textOf(request, 'task_id').toLowerCase();
    return taskIdPattern.test(told) ? book.taskOf(told) : undefined;
  };

  const rowFor = async (task_id: string | undefined): Promise<Row | null> => {
    if (task_id === undefined) return null;
    try {
      return rowOf((await mesh.call('get', { task_id })).task);
    } catch (thrown) {
      if (thrown instanceof MeshError && thrown.code === 'task_not_found') return null;
      throw thrown;
    }
  };

  return {
    async submit(request) {
      const payload = request.payload ?? {};
      const input = {
        task_type: textOf(request, 'task_type') || 'text-generation',
        model_name: textOf(request, 'model_name'),
        payload,
        ...queueOptions(payload),
      };
      return { task_id: splitTaskId((await mesh.call('submit', input)).task_id).local };
    },

    async get(request) {
      return { task: await rowFor(await idIn(request)) };
    },

    async list(request) {
      const status = taskStatus.safeParse(request.status);
      const limit = Math.floor(numberOf(request, ['limit'], { otherwise: 50, least: 1, most: 1000 }));
      const input = { task_types: expandTaskTypes(textsOf(request, 'task_types')).slice(0, 100), detail: true };
      const tasks: Row[] = [];
      let room = limits.maxPythonFrameBytes - envelopeBytes;
      const filter = { ...input, ...(status.success ? { status: status.data } : {}) };
      let cursor: string | null = '';
      while (cursor !== null && tasks.length < limit) {
        const asked: OperationInput<'list'> = { ...filter, cursor, limit: Math.min(pageSize, limit - tasks.length) };
        const page: OperationOutput<'list'> = await mesh.call('list', asked);
        cursor = page.cursor;
        for (const row of page.tasks.map(rowOf)) {
          room -= asciiJson(row).length + 1;
          if (room < 0) return { tasks, truncated: true };
          tasks.push(row);
        }
      }
      return { tasks };
    },

    async wait(request, { signal }) {
      const task_id = await idIn(request);
      const timeout_s = numberOf(request, ['timeout_s'], { otherwise: 60, least: 0, most: 600 });
      // Its answer has no payload; the row has.
      if (task_id !== undefined && (await rowFor(task_id)) !== null)
        await mesh.call('wait', { task_id, timeout_s }, { signal });
      return { task: await rowFor(task_id) };
    },

    /** Also ends a running task: its worker's late word is refused then. */
    async cancel(request) {
      const task_id = await idIn(request);
      if (task_id === undefined) return { cancelled: false };
      try {
        return { cancelled: (await mesh.call('cancel', { task_id, reason: noteOf(request.reason, 2000) })).cancelled };
      } catch (thrown) {
        if (thrown instanceof MeshError && ['task_not_found', 'wrong_state'].includes(thrown.code))
          return { cancelled: false };
        throw thrown;
      }
    },

    async status(request) {
      const { capabilities, queue } = await mesh.call('status', {});
      const { task_types, tools } = capabilities;
      const answer = { capabilities: { task_types, tools }, nat: {}, session: '' };
      if (request.detail !== true) return answer;
      return {
        ...answer,
        queue,
        scheduler: scheduler.view(),
        local_worker: {},
        transport: {
          protocols: [sessionProtocol, legacyProtocol].slice(0, parts.legacy ? 2 : 1),
          addresses: parts.addresses(),
        },
      };
    },
  };
}

/** The options that Python's clients put into the payload; the payload stays as it is. */
function queueOptions(payload: unknown): Record<string, unknown> {
  const options = recordOf({ payload }, 'payload');
  if (options === undefined) return {};
  const { idempotency_key: key } = options;
  const next = numberOf(options, ['next_attempt_at'], { otherwise: 0, least: 0, most: 1e11 });
  return {
    priority: Math.round(numberOf(options, ['priority'], { otherwise: 5, least: 1, most: 10 })),
    max_attempts: Math.round(numberOf(options, ['max_attempts'], { otherwise: 3, least: 0, most: 1000 })),
    ...(typeof key === 'string' && key !== '' ? { idempotency_key: key } : {}),
    ...(next > 0 ? { next_attempt_at: next } : {}),
  };
}
