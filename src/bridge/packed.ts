/**
 * Messages on a MessagePort, packed: one flat list per batch instead of an object tree per message. A structured clone pays
 * for each object and for each key, so that calls and results, which are nearly all there is, go without their envelopes.
 *
 * `[0, id, method, params, deadlineMs, wantsProgress]` a request, `[1, id, result]` a result, `[2, message]` anything else.
 */

import { deadlineKey, progressTokenKey, type RpcMessage, type RpcRequest } from '../rpc/message.ts';

const request = 0;
const result = 1;
const whole = 2;

/** All messages of a batch in one list. */
export function pack(messages: readonly RpcMessage[]): unknown[] {
  const slots: unknown[] = [];
  for (const message of messages) {
    if ('method' in message && 'id' in message && isPlain(message)) {
      const { _meta, ...params } = message.params;
      slots.push(
        request,
        message.id,
        message.method,
        params,
        _meta?.[deadlineKey],
        _meta?.[progressTokenKey] !== undefined,
      );
    } else if ('result' in message) slots.push(result, message.id, message.result);
    else slots.push(whole, message);
  }
  return slots;
}

/** Whether the request's `_meta` holds nothing beyond what is packed. */
function isPlain({ id, params }: RpcRequest): boolean {
  const { _meta } = params;
  if (_meta === undefined) return true;
  for (const key in _meta) {
    if (key !== deadlineKey && !(key === progressTokenKey && _meta[key] === id)) return false;
  }
  return true;
}

/** Hands over each message of a list as `pack` got it. What is no such list is handed over as it is, for the endpoint to refuse. */
export function unpack(slots: unknown, deliver: (message: unknown) => void): void {
  if (!Array.isArray(slots)) {
    deliver(slots);
    return;
  }
  for (let at = 0; at < slots.length; ) {
    switch (slots[at]) {
      case request: {
        const [id, method, params, deadlineMs, wantsProgress] = slots.slice(at + 1, at + 6);
        const meta: Record<string, unknown> = {};
        if (deadlineMs !== undefined) meta[deadlineKey] = deadlineMs;
        if (wantsProgress) meta[progressTokenKey] = id;
        deliver({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } });
        at += 6;
        break;
      }
      case result:
        deliver({ jsonrpc: '2.0', id: slots[at + 1], result: slots[at + 2] });
        at += 3;
        break;
      default:
        deliver(slots[at + 1]);
        at += 2;
    }
  }
}
