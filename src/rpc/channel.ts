/**
 * A way across: whole messages, in order, both directions. One adapter per kind: MessagePort, libp2p stream, in tests a pair
 * in memory. An endpoint is its only user.
 */

import type { RpcId, RpcMessage } from './message.ts';

export interface ChannelEvents {
  /** One message as it came; its shape is not checked yet. */
  message(message: unknown): void;
  /**
   * Nothing more will come or go. Called once; `cause` when it was not asked for. `unsent`: requests of which not a byte has
   * left, where the way across can tell.
   */
  closed(cause?: Error, unsent?: ReadonlySet<RpcId>): void;
}

export interface Channel {
  /** Starts the flow; called once, by the endpoint. */
  open(events: ChannelEvents): void;
  /** Sends a message. What is posted in one tick may cross together. After close it does nothing. */
  post(message: RpcMessage): void;
  /** Bytes that wait for a slow reader; 0 where the way across does not tell. */
  readonly bufferedBytes: number;
  /** Ends both directions; what was posted before still goes out where that is possible. Idempotent. */
  close(): void;
}
