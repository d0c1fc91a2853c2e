/** How long a call may take when its caller says nothing about it: the same on every face, and at every node on its way. */

import type { Limits } from './limits.ts';
import { type CheckedInput, type OperationName, operationEntry } from './operations.ts';

/** Milliseconds until the call fails with `timeout`. */
export function deadlineOf<Name extends OperationName>(
  name: Name,
  input: CheckedInput<Name>,
  limits: Pick<Limits, 'callDeadlineMs'>,
): number {
  const { deadlineMs, waitMs } = operationEntry(name);
  return deadlineMs?.(input) ?? (waitMs?.(input) ?? 0) + limits.callDeadlineMs;
}
