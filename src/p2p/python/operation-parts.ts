/** What the parts of the Python node's operations share: what they are made from, what they get and what they answer. */

import type { Limits } from '../../mesh/limits.ts';
import type { Mesh } from '../../mesh/mesh.ts';
import type { Asker } from './asker.ts';
import type { Request } from './fields.ts';
import type { LeaseBook } from './lease-book.ts';
import type { Scheduler } from './scheduler.ts';

export type Reply = Record<string, unknown>;

export interface OperationParts {
  /** This node's own. */
  readonly peerId: string;
  /** The checked operations in somebody's name, within the grant of whoever holds the token. */
  meshFor(caller: string): Mesh;
  /** In whose name all token holders together submit, look and cancel. */
  readonly everybody: string;
  readonly book: LeaseBook;
  readonly scheduler: Scheduler;
  /** Seconds that a Python worker may take for a task: it never renews its lease. */
  readonly leaseSeconds: number;
  /** Where Python nodes reach this one. */
  addresses(): string[];
  /** Whether the older protocol is served too; `status` tells. */
  readonly legacy: boolean;
  readonly limits: Pick<Limits, 'maxPythonFrameBytes'>;
}

/** What an operation gets besides its request. `signal` fires when the stream has ended. */
export interface Serving {
  readonly asker: Asker;
  readonly signal: AbortSignal;
}

export type ServeOperation = (request: Request, serving: Serving) => Promise<Reply>;

/** A refusal for which the wire has a word of its own, such as `missing_key`. */
export class PythonRefusal extends Error {
  readonly word: string;

  constructor(word: string, message: string) {
    super(message);
    this.name = 'PythonRefusal';
    this.word = word;
  }
}
