/** The code of the `MeshError` that a promise rejects with; `none` when it resolves. Anything else is thrown on. */

import { MeshError } from '../../src/mesh/errors.ts';

export async function errorCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MeshError) return error.code;
    throw error;
  }
  return 'none';
}
