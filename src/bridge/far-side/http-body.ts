/** Reads a request's body within its bounds, and writes an answer: what the P2P service's HTTP side needs of HTTP. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../../mesh/clock.ts';
import { type Failure, MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import { lastWordsMs } from './rpc-listener.ts';

/** Hands the bytes of a body over as they come. Rejects with what `take` throws, and when the connection ends before the body. */
export function readPieces(request: IncomingMessage, take: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (bytes: Uint8Array): void => {
      try {
        take(bytes);
      } catch (cause) {
        // What still comes is dropped: who is still sending does not read the answer.
        request.off('data', onData).resume();
        reject(cause);
      }
    };
    request.on('data', onData);
    request.once('end', resolve);
    request.once('error', reject);
    request.once('close', () => {
      if (!request.readableEnded) reject(new MeshError('cancelled', 'The request ended before its body did.'));
    });
  });
}

/** One JSON value, `whenEmpty` for no body at all. Rejects with `payload_too_large`, `timeout` or `invalid_json`. */
export async function readJson(
  request: IncomingMessage,
  { maxBodyBytes, bodyDeadlineMs }: Pick<Limits, 'maxBodyBytes' | 'bodyDeadlineMs'>,
  whenEmpty?: object,
): Promise<unknown> {
  const tooLong = Promise.withResolvers<never>();
  const cancelTimer = systemClock.setTimer(bodyDeadlineMs, () => {
    tooLong.reject(new MeshError('timeout', `The body was not complete after ${bodyDeadlineMs} ms.`));
    cutLater(request, systemClock);
  });
  // Also of a body that was refused: it may not go on for ever.
  request.once('close', cancelTimer);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const whole = readPieces(request, (piece) => {
    bytes += piece.byteLength;
    if (Math.max(bytes, Number(request.headers['content-length'] ?? 0)) > maxBodyBytes) throw tooLarge(maxBodyBytes);
    pieces.push(piece);
  });
  await Promise.race([whole, tooLong.promise]);
  cancelTimer();
  if (bytes === 0 && whenEmpty !== undefined) return whenEmpty;
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new MeshError('invalid_json', 'The body is not JSON.', { cause });
  }
}

/** Cuts a connection that has not ended by itself when its last words should have been read. */
export function cutLater(stream: IncomingMessage | ServerResponse, clock: Clock): void {
  if (stream.destroyed) return;
  const cancelTimer = clock.setTimer(lastWordsMs, () => stream.destroy());
  stream.once('close', cancelTimer);
}

const tooLarge = (maxBytes: number): MeshError =>
  new MeshError('payload_too_large', `A body may be ${maxBytes} bytes long.`, { details: { max_bytes: maxBytes } });

export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(text);
}

/** The status that tells HTTP clients the same as the failure's code. */
export function statusOf({ error, retryable }: Failure): number {
  const own: Partial<Record<Failure['error'], number>> = {
    unauthorized: 401,
    unknown_operation: 404,
    task_not_found: 404,
    payload_too_large: 413,
    timeout: 504,
    internal_error: 500,
  };
  return own[error] ?? (retryable ? 503 : 400);
}
