/**
 * The second kind of body on `/mcp+p2p/1.0.0`: no session, an error that is a text, and a sender that says itself who it is (and
 * is not believed). Told apart by its `type`, where the others have `jsonrpc`.
 */

import { float } from './json.ts';

export interface P2PMessage {
  readonly type: 'request' | 'response' | 'notification' | 'event';
  readonly method: string;
  readonly params: unknown;
  readonly id: string | null;
  readonly result: unknown;
  readonly error: string | null;
  readonly sender: string | null;
  /** Epoch seconds. */
  readonly timestamp: number;
}

const types: readonly unknown[] = ['request', 'response', 'notification', 'event'] satisfies P2PMessage['type'][];

export function isP2PMessage(value: Readonly<Record<string, unknown>>): boolean {
  return !('jsonrpc' in value) && types.includes(value.type) && typeof value.method === 'string';
}

/** The message with its fields in the order in which Python nodes write them. */
export function p2pMessage(message: P2PMessage): Record<string, unknown> {
  const { type, method, params, id, result, error, sender, timestamp } = message;
  return { type, method, params, id, result, error, sender, timestamp: float(timestamp) };
}
