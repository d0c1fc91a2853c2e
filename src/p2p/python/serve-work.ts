/** What workers ask on the Python listener: claim, complete, release. Whoever asks is given work; whose lease it is, the book knows. */

import { MeshError } from '../../mesh/errors.ts';
import { type ClaimedTask, splitTaskId } from '../../mesh/task.ts';
import { noteOf, numberOf, type Request, recordOf, textOf, textsOf } from './fields.ts';
import { bodyOf } from './messages.ts';
import type { OperationParts, ServeOperation, Serving } from './operation-parts.ts';
import { claimedRowOf, type Row } from './rows.ts';
import { expandTaskTypes } from './task-types.ts';

/** Tasks that one `claim_many` hands out: their worker does one after the other, and the leases run meanwhile. */
const maxTasksAtOnce = 16;

/** What the envelope of an answer takes of a frame, in bytes; generous. */
const envelopeBytes = 2_048;

/** How long a task that is too large for a Python client is kept from Python's claims, in seconds: others may take it meanwhile. */
const tooLargePauseSeconds = 60;

/** Tasks that are too large and are passed over in one claim. */
const maxPassedOver = 4;

export function serveWork(parts: OperationParts): Record<string, ServeOperation> {
  const { book, leaseSeconds, limits, scheduler } = parts;

  const claimOne = async (worker: string, types: string[], serving: Serving, room: number): Promise<Claimed | null> => {
    const caller = serving.asker.peerId;
    const mesh = parts.meshFor(caller);
    for (let passedOver = 0; passedOver <= maxPassedOver; passedOver++) {
      const asked = { worker_id: worker, supported_task_types: types, lease_s: leaseSeconds };
      const { task } = await mesh.call('claim', asked, { signal: serving.signal });
      if (task === null) return null;
      const giveBack = (delay_s: number, reason: string) =>
        mesh.call('release', { task_id: task.task_id, fence: task.fence, delay_s, reason });
      if (serving.signal.aborted) {
        await giveBack(0, '');
        throw new MeshError('cancelled', 'The stream ended before the claim was answered; no task is held for it.');
      }
      const bytes = bodyOf(claimedRowOf(task, ''), room)?.byteLength;
      if (bytes !== undefined) return { ...(await told(task, serving, worker)), bytes };
      // The first one must fit into an empty frame; a later one may wait for the next call.
      const isAlone = room === limits.maxPythonFrameBytes - envelopeBytes;
      await giveBack(isAlone ? tooLargePauseSeconds : 0, isAlone ? 'It does not fit in a frame for Python nodes.' : '');
      if (!isAlone) return null;
    }
    return null;
  };

  const told = async (task: ClaimedTask, { asker }: Serving, worker: string): Promise<{ row: Row; type: string }> => {
    const lease = { taskId: splitTaskId(task.task_id).local, fence: task.fence, caller: asker.peerId };
    return { row: claimedRowOf(task, await book.open(lease, asker, worker)), type: task.task_type };
  };

  /** Workers call themselves by their worker id where a peer id is asked for. */
  const claim = async (request: Request, serving: Serving, most: number): Promise<Row[]> => {
    const worker = textOf(request, 'worker_id', 'assigned_worker').slice(0, 200);
    scheduler.saw(textOf(request, 'peer', 'peer_id') || worker, recordOf(request, 'clock'));
    let types = expandTaskTypes(textsOf(request, 'supported_task_types', 'task_types')).slice(0, 100);
    const sameType = (request.same_task_type ?? request.same_type) === true;
    const rows: Row[] = [];
    let room = limits.maxPythonFrameBytes - envelopeBytes;
    while (rows.length < most) {
      const claimed = await claimOne(worker, types, serving, room);
      if (claimed === null) break;
      rows.push(claimed.row);
      room -= claimed.bytes + envelopeBytes;
      if (sameType) types = [claimed.type];
    }
    return rows;
  };

  return {
    async claim(request, serving) {
      const [task = null] = await claim(request, serving, 1);
      return { task };
    },

    async claim_many(request, serving) {
      const most = numberOf(request, ['max_tasks', 'limit'], { otherwise: 1, least: 1, most: maxTasksAtOnce });
      return { tasks: await claim(request, serving, Math.floor(most)) };
    },

    async complete(request, { asker }) {
      const told_id = textOf(request, 'task_id').toLowerCase();
      const lease = await book.find(told_id, asker, textOf(request, 'worker_id', 'assigned_worker'));
      const mesh = parts.meshFor(lease.caller);
      const of = { task_id: lease.taskId, fence: lease.fence };
      const status = textOf(request, 'status').toLowerCase() || 'completed';
      const error = noteOf(request.error, 8000);
      switch (status) {
        case 'completed':
          await mesh.call('complete', { ...of, result: request.result ?? null });
          break;
        case 'failed':
          await mesh.call('fail', { ...of, error: error || 'The worker gave no reason.' });
          break;
        case 'cancelled':
          await mesh.call('fail', { ...of, error: `Cancelled by its worker. ${error}`.trim(), retry: false });
          break;
        default:
          throw new MeshError('invalid_params', 'status is completed, failed or cancelled.');
      }
      return { task_id: told_id };
    },

    async release(request, { asker }) {
      const told_id = textOf(request, 'task_id').toLowerCase();
      const lease = await book.find(told_id, asker, textOf(request, 'worker_id', 'assigned_worker'));
      const reason = noteOf(request.reason, 2000);
      await parts.meshFor(lease.caller).call('release', { task_id: lease.taskId, fence: lease.fence, reason });
      return { task_id: told_id };
    },
  };
}

interface Claimed {
  readonly row: Row;
  readonly type: string;
  readonly bytes: number;
}
