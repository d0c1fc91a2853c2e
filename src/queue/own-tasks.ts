/** Whose a task is, for callers who may look at or change their own only. Called by the engine. */

import { MeshError } from '../mesh/errors.ts';
import type { CallContext } from './queue.ts';
import type { TaskRow } from './task-row.ts';

/** Whether the caller is who it has to be for this task. */
export function isOwn(row: TaskRow, { caller, mustBe }: CallContext): boolean {
  if (mustBe === undefined || row.submittedBy === caller) return true;
  return mustBe === 'involved' && row.assignedPeer === caller && row.status !== 'queued';
}

/** Throws `unauthorized` when the caller is not. */
export function refuseForeign(row: TaskRow, context: CallContext): void {
  if (isOwn(row, context)) return;
  const [field, what] = context.mustBe === 'submitter' ? ['cancel', 'cancel or retry'] : ['see', 'look at'];
  throw new MeshError(
    'unauthorized',
    `The node lets this peer ${what} its own tasks only, and another one submitted this.`,
    { details: { grant: field, value: 'all' } },
  );
}
