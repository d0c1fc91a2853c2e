/**
 * The Python node's operations, served from this node's own: names and aliases, and what failures look like. Each request was
 * admitted by its token before; what it may do is decided by the grant inside of `meshFor`.
 */

import { getLogger } from '@logtape/logtape';
import { MeshError } from '../../mesh/errors.ts';
import type { Asker } from './asker.ts';
import type { Request } from './fields.ts';
import { type OperationParts, PythonRefusal, type Reply, type ServeOperation } from './operation-parts.ts';
import { serveAlone } from './serve-alone.ts';
import { serveQueue } from './serve-queue.ts';
import { serveWork } from './serve-work.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

const aliases: Readonly<Record<string, string>> = {
  claim_next: 'claim',
  claim_batch: 'claim_many',
  'task.complete': 'complete',
  complete_task: 'complete',
  'task.release': 'release',
  release_task: 'release',
  heartbeat: 'peer.heartbeat',
  peer: 'peer.heartbeat',
  'tasks.list': 'list',
  'queue.list': 'list',
  'task.cancel': 'cancel',
  capabilities: 'status',
  describe: 'status',
  tool: 'call_tool',
  'tool.call': 'call_tool',
};

export class PythonOperations {
  readonly #peerId: string;
  readonly #table: ReadonlyMap<string, ServeOperation>;

  constructor(parts: OperationParts) {
    this.#peerId = parts.peerId;
    const table = { ...serveQueue(parts), ...serveWork(parts), ...serveAlone(parts) };
    this.#table = new Map(Object.entries(table));
  }

  /** Never rejects: what fails is a reply too. */
  async run(request: Request, asker: Asker, signal: AbortSignal): Promise<Reply> {
    const op = typeof request.op === 'string' ? request.op.trim().toLowerCase() : '';
    const serve = this.#table.get(aliases[op] ?? op);
    if (serve === undefined) return this.#failed('unknown_op', `There is no operation "${op.slice(0, 100)}".`);
    try {
      return { ok: true, ...(await serve(request, { asker, signal })), peer_id: this.#peerId };
    } catch (thrown) {
      if (thrown instanceof MeshError) return this.#failed(thrown.code, thrown.message);
      if (thrown instanceof PythonRefusal) return this.#failed(thrown.word, thrown.message);
      log.error('{op} failed for a Python client: {error}', { op, error: thrown });
      return this.#failed('internal_error', 'Something failed inside taskmesh; its log says what.');
    }
  }

  #failed(error: string, detail: string): Reply {
    return { ok: false, error, detail, peer_id: this.#peerId };
  }
}
