/**
 * What a refused peer is told besides what it lacks: the command that grants it, and the machine to run it on. It adds to what the
 * peer has, and takes nothing away. Peers choose the names in it, and people paste it into a shell: what a shell would not take as
 * it stands is quoted, or left out. Called where a peer's calls end.
 */

import { MeshError } from '../../mesh/errors.ts';
import { everything } from '../../mesh/grant.ts';

export interface Parties {
  /** The node that refuses. */
  readonly ownPeerId: string;
  /** Whom it refuses. */
  readonly peerId: string;
}

/** The same refusal with what to run where. Errors that name no field of a grant stay as they are. */
export function withRemedy(error: MeshError, parties: Parties): MeshError {
  const { details = {} } = error;
  const { grant, value, task_types: types = [value] } = details;
  if (error.code !== 'unauthorized' || typeof grant !== 'string' || typeof value !== 'string') return error;
  const message = `${error.message} ${remedy(parties, grant, types as string[])}`;
  return new MeshError('unauthorized', message, { cause: error, details });
}

function remedy({ ownPeerId, peerId }: Parties, field: string, values: readonly string[]): string {
  const words = values.map((value) => grantWord(field, value));
  const command = `taskmesh grant ${peerId} --add`;
  return words.includes(undefined)
    ? `Its name has signs that no command can hold; on the machine of ${ownPeerId} all can be allowed: ${command} ${field}`
    : `On the machine of ${ownPeerId} run: ${command} ${words.join(',')}`;
}

/** `submit:text.stats`, as `--add` takes it; undefined for a name that cannot be written there. */
function grantWord(field: string, value: string): string | undefined {
  if (value === everything) return field;
  if (/^[\w.:/@%+=-]+$/.test(value)) return `${field}:${value}`;
  // Commas and blanks separate names; no shell takes these signs for more than they are between single quotes.
  return /^[^\s,'\\\p{C}]+$/u.test(value) ? `'${field}:${value}'` : undefined;
}
