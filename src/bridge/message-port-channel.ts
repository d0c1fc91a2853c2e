/**
 * A channel over a MessagePort, the same on both sides of a thread boundary and on both runtimes.
 *
 * What is posted in one tick crosses as one message: posting is what costs on a MessagePort, not the size of the batch.
 * What has arrived is taken in one turn, a few messages of it, so that what it leads to crosses together too: callers that were
 * once apart would stay apart, each with a message of its own, at three times the cost per call.
 * Messages are received by `onmessage`, never by `on('message')`: on Deno the latter copies large messages slowly.
 */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { MeshError } from '../mesh/errors.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import { failureOf } from '../rpc/errors.ts';
import type { RpcMessage } from '../rpc/message.ts';
import { maxTogether, pack, unpack } from './packed.ts';

/**
 * Looking whether more has come takes a microsecond. After a message that brought one thing alone it is done each so many times:
 * enough to bring callers together that are apart, and little for one who waits for each answer.
 */
const lookEach = 8;

export function messagePortChannel(port: MessagePort): Channel {
  let events: ChannelEvents | undefined;
  let outbox: RpcMessage[] = [];
  let closed = false;
  let alone = 0;

  const flush = (): void => {
    const batch = outbox;
    outbox = [];
    if (batch.length === 0 || closed) return;
    try {
      port.postMessage(pack(batch));
    } catch {
      // One message of the batch cannot be cloned: the others must not suffer from it.
      for (const message of batch) postAlone(message);
    }
  };

  const postAlone = (message: RpcMessage): void => {
    try {
      port.postMessage(pack([message]));
    } catch (cause) {
      if (!('id' in message) || message.id === null) return;
      const what = 'The data cannot cross the thread boundary: it holds something that is not plain data.';
      if ('method' in message) {
        const error = failureOf(new MeshError('invalid_params', what, { cause }));
        events?.message({ jsonrpc: '2.0', id: message.id, error });
      } else {
        const error = failureOf(new MeshError('internal_error', what, { cause }));
        port.postMessage(pack([{ jsonrpc: '2.0', id: message.id, error }]));
      }
    }
  };

  const end = (cause?: Error): void => {
    if (closed) return;
    closed = true;
    events?.closed(cause);
  };

  return {
    bufferedBytes: 0,
    open(handlers) {
      events = handlers;
      const receiver = port as unknown as { onmessage: (event: { data: unknown }) => void };
      receiver.onmessage = ({ data }) => {
        let taken = 0;
        const take = (message: unknown): void => {
          taken++;
          handlers.message(message);
        };
        unpack(data, take);
        if (taken === 1 && ++alone % lookEach !== 0) return;
        while (taken < maxTogether && !closed) {
          const next = receiveMessageOnPort(port) as { message: unknown } | undefined;
          if (next === undefined) return;
          unpack(next.message, take);
        }
      };
      port.on('close', () => end());
      port.start();
    },
    post(message) {
      if (closed) return;
      const waiting = outbox.push(message);
      if (waiting === 1) queueMicrotask(flush);
      else if (waiting === maxTogether) flush();
    },
    close() {
      if (closed) return;
      flush();
      end();
      port.close();
    },
  };
}
