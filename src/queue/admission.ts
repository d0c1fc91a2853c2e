/** What of a submission is new, and whether there is room for it. Called by the SQLite store, inside of a transaction or before it. */

import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { QueueTables } from './sqlite-tables.ts';
import type { Inserted, NewTask } from './store.ts';
import type { TaskRow } from './task-row.ts';

interface Admitted {
  /** For each task what it is in the store, or will be: itself, or the one that its idempotency key stands for. */
  readonly all: readonly Inserted[];
  /** Those that are to be written. */
  readonly fresh: readonly NewTask[];
}

/** Throws `queue_full` or `idempotency_conflict`. */
export function admitted(tasks: readonly NewTask[], tables: QueueTables, limits: Limits): Admitted {
  const all = withKnown(tasks, tables);
  const fresh = tasks.filter((_task, index) => all[index]?.deduplicated === false);
  checkRoom(fresh, tables, limits);
  return { all, fresh };
}

function withKnown(tasks: readonly NewTask[], tables: QueueTables): readonly Inserted[] {
  const newByKey = new Map<string, TaskRow>();
  return tasks.map(({ row }) => {
    const key = row.idempotencyKey;
    if (key === null) return { row, deduplicated: false };
    const known = newByKey.get(key) ?? tables.rowByKey(key);
    if (known === undefined) {
      newByKey.set(key, row);
      return { row, deduplicated: false };
    }
    if (known.workHash === row.workHash) return { row: known, deduplicated: true };
    throw new MeshError(
      'idempotency_conflict',
      'The idempotency key was used before for other work (task_type, model_name or payload differ). Use a new key for new work.',
      { details: { task_id: known.id } },
    );
  });
}

function checkRoom(fresh: readonly NewTask[], tables: QueueTables, { maxTasks, maxStoredBytes }: Limits): void {
  const { tasks, bytes } = tables.totals;
  const newBytes = fresh.reduce((sum, { row }) => sum + row.storedBytes, 0);
  if (fresh.length === 0 || (tasks + fresh.length <= maxTasks && bytes + newBytes <= maxStoredBytes)) return;
  throw new MeshError(
    'queue_full',
    `The queue holds ${tasks} tasks and ${bytes} bytes; at most ${maxTasks} and ${maxStoredBytes} are allowed. ` +
      'Try again when tasks are done and pruned, give finished tasks a shorter result_ttl_s, or submit to another node.',
    { details: { tasks, bytes, max_tasks: maxTasks, max_bytes: maxStoredBytes } },
  );
}
