/** One handler per connected peer, so that a peer's quota holds over all its streams. */

import type { Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Handler } from '../rpc/endpoint.ts';
import { peerHandler } from './peer-server.ts';

export class PeerHandlers {
  readonly #handlers = new Map<string, Handler>();
  readonly #meshFor: (caller: string) => Mesh;
  readonly #limits: Limits;
  readonly #clock: Clock;

  /** `meshFor` answers the checked operations in the name of a peer. */
  constructor(meshFor: (caller: string) => Mesh, limits: Limits, clock: Clock) {
    this.#meshFor = meshFor;
    this.#limits = limits;
    this.#clock = clock;
  }

  handlerFor(peerId: string): Handler {
    let handler = this.#handlers.get(peerId);
    if (handler === undefined) {
      handler = peerHandler(this.#meshFor(peerId), this.#limits, this.#clock);
      this.#handlers.set(peerId, handler);
    }
    return handler;
  }

  /** The peer is not connected any more. */
  forget(peerId: string): void {
    this.#handlers.delete(peerId);
  }
}
