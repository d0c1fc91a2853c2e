/**
 * Messages of the bridge, packed: flat lists instead of an object tree per message. A structured clone and JSON alike pay for each
 * object and for each key, so that calls and results, which are nearly all there is, go without their envelopes. Used between
 * threads, where all messages of a batch are one list, and on sockets, where each is a frame of its own.
 *
 * `[0, id, method, input, deadlineMs, wantsProgress]` a call, `[1, id, result]` a result, `[2, message]` anything else.
 */

import { deadlineKey, progressTokenKey, type RpcMessage, type RpcRequest } from '../rpc/message.ts';

/**
 * Messages that cross together at most, and that are taken in one turn unless more of them came together. Of 4 to 64, 8 to 32 gave
 * the most calls per second with 64 in flight: with fewer each crossing costs a waking of its own; with more, one side sleeps while
 * the other works through all there is.
 */
export const maxTogether = 16;

const request = 0;
const result = 1;
const whole = 2;

/** All messages of a batch in one list. */
export function pack(messages: readonly RpcMessage[]): unknown[] {
  const slots: unknown[] = [];
  for (const message of messages) {
    if ('method' in message && 'id' in message && isPlain(message)) {
      const { input, _meta = {} } = message.params;
      slots.push(request, message.id, message.method, input, _meta[deadlineKey], _meta[progressTokenKey] !== undefined);
    } else if ('result' in message) slots.push(result, message.id, message.result);
    else slots.push(whole, message);
  }
  return slots;
}

/** One message, for ways on which each stands alone: what is neither call nor result stays as it is. */
export function packOne(message: RpcMessage): unknown {
  const slots = pack([message]);
  return slots[0] === whole ? message : slots;
}

/** Whether the request is a call of an operation, and holds nothing beyond what is packed. */
function isPlain({ id, params }: RpcRequest): boolean {
  const { _meta } = params;
  if (!('input' in params) || _meta === undefined) return false;
  for (const key in params) if (key !== 'input' && key !== '_meta') return false;
  for (const key in _meta) {
    if (key !== deadlineKey && !(key === progressTokenKey && _meta[key] === id)) return false;
  }
  return true;
}

/** Hands over each message of a list as `pack` got it. What is no such list is handed over as it is: a message, or something for the endpoint to refuse. */
export function unpack(slots: unknown, deliver: (message: unknown) => void): void {
  if (!Array.isArray(slots) || slots.length === 0) {
    deliver(slots);
    return;
  }
  for (let at = 0; at < slots.length; ) {
    switch (slots[at]) {
      case request: {
        const id = slots[at + 1];
        const deadlineMs = slots[at + 4];
        const meta: Record<string, unknown> = {};
        if (deadlineMs !== undefined) meta[deadlineKey] = deadlineMs;
        if (slots[at + 5] === true) meta[progressTokenKey] = id;
        deliver({ jsonrpc: '2.0', id, method: slots[at + 2], params: { input: slots[at + 3], _meta: meta } });
        at += 6;
        break;
      }
      case result:
        deliver({ jsonrpc: '2.0', id: slots[at + 1], result: slots[at + 2] });
        at += 3;
        break;
      case whole:
        deliver(slots[at + 1]);
        at += 2;
        break;
      default:
        deliver(slots);
        return;
    }
  }
}

/** What `packOne` made. A list with more in it than one message is handed over as it is. */
export function unpackOne(body: unknown, deliver: (message: unknown) => void): void {
  if (Array.isArray(body) && body.length > (body[0] === request ? 6 : 3)) deliver(body);
  else unpack(body, deliver);
}
