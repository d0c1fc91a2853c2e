/** One handler per connected peer, so that what holds for a peer holds over all its streams. */

import type { MeshError } from '../mesh/errors.ts';
import type { Handler } from '../rpc/endpoint.ts';
import type { NodeServer } from './mcp/node-server.ts';
import { peerHandler } from './peer-server.ts';
import type { Permit } from './trust/permit.ts';
import type { Permits } from './trust/permits.ts';

export interface PeerHandlersOptions {
  permits: Permits;
  /** The node as a server in the name of a peer, as far as its permit allows. */
  serverFor(caller: string, permit: Permit): NodeServer;
  /** The peer goes on sending although it was told that it sends too much. */
  onAbuse(peerId: string, error: MeshError): void;
}

export class PeerHandlers {
  readonly #handlers = new Map<string, Handler>();
  readonly #options: PeerHandlersOptions;

  constructor(options: PeerHandlersOptions) {
    this.#options = options;
  }

  handlerFor(peerId: string): Handler {
    let handler = this.#handlers.get(peerId);
    if (handler === undefined) {
      const { permits, serverFor, onAbuse } = this.#options;
      const permit = permits.of(peerId);
      handler = peerHandler(serverFor(peerId, permit), permit, (error) => onAbuse(peerId, error));
      this.#handlers.set(peerId, handler);
    }
    return handler;
  }

  /** The peer is not connected any more. */
  forget(peerId: string): void {
    this.#handlers.delete(peerId);
    this.#options.permits.forget(peerId);
  }
}
