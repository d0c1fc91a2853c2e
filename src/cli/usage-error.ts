/** Something is wrong with how the command was written. Ends with exit code 2. */

import { MeshError } from '../mesh/errors.ts';

export class UsageError extends MeshError {
  constructor(message: string) {
    super('invalid_params', message);
    this.name = 'UsageError';
  }
}
