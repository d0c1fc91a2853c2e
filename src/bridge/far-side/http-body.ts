/** Reads a request's body within its bound, and writes an answer: what the P2P service's HTTP side needs of HTTP. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Failure, MeshError } from '../../mesh/errors.ts';

/** Rejects with `payload_too_large`, and with what `piece` throws; `piece` gets the bytes as they come. */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  piece: (bytes: Uint8Array) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    /** What still comes is dropped: who is still sending does not read the answer. */
    const stop = (cause: unknown): void => {
      request.off('data', take).resume();
      reject(cause);
    };
    const take = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength;
      try {
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        piece(chunk);
      } catch (cause) {
        stop(cause);
      }
    };
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      stop(tooLarge(maxBytes));
      return;
    }
    request.on('data', take);
    request.once('end', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new MeshError('cancelled', 'The request ended before its body did.')));
  });
}

const tooLarge = (maxBytes: number): MeshError =>
  new MeshError('payload_too_large', `A body may be ${maxBytes} bytes long.`, { details: { max_bytes: maxBytes } });

/** One JSON value. Throws `payload_too_large` or `invalid_json`. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  await readBody(request, maxBytes, (piece) => pieces.push(piece));
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new MeshError('invalid_json', 'The body is not JSON.', { cause });
  }
}

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
