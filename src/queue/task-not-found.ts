/** The answer to an id that the queue does not know. Thrown by the engine and by stores. */

import { MeshError } from '../mesh/errors.ts';

export function taskNotFound(id: string): MeshError {
  return new MeshError(
    'task_not_found',
    `There is no task ${id} here. Check the id; a finished task is removed when its result_ttl_s is over.`,
    { details: { task_id: id } },
  );
}
