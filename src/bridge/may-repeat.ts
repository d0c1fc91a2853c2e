/** Whether the bridge may carry a call again by itself when it does not know what became of it. */

import { type OperationName, operationEntry } from '../mesh/operations.ts';

/** Idempotent operations, and a submission whose key makes the second one the first. Nothing else, ever. */
export function mayRepeat(name: OperationName, input: unknown): boolean {
  if (name === 'submit') return (input as { idempotency_key?: string }).idempotency_key !== undefined;
  return operationEntry(name).hints.idempotent;
}
