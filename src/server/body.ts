/**
 * Reads the body of a request to `/mcp`: bounded, strict UTF-8, JSON, not nested without end. Called once per POST, before the
 * SDK gets the value; what does not fit is answered here, as a JSON-RPC error.
 */

import { checkDepth } from '../mesh/check-input.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import { refuse, rpcCodes } from './json-rpc.ts';

/**
 * How much deeper than an operation's input a whole message may be. `mesh.call` refuses deep inputs with a structured answer,
 * which is better for the caller than an error of the transport; this bound only keeps worse away from all code in between.
 */
const envelopeDepthFactor = 4;

/** Bytes of bodies that are being read, of all requests together: many large ones at once must not fill the memory. */
export class BodyBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the bytes, or answers false when there is no room now. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

type JsonBody = { value: unknown } | { refusal: Response };

/** The parsed JSON, or the refusal to send. */
export async function readJsonBody(
  request: Request,
  limits: Pick<Limits, 'maxBodyBytes' | 'maxJsonDepth'>,
  budget: BodyBudget,
): Promise<JsonBody> {
  const declared = request.headers.get('content-length');
  // The HTTP parser cuts the body at the declared length, so that no more than this can arrive.
  const expected = declared === null ? limits.maxBodyBytes : Number(declared);
  if (expected > limits.maxBodyBytes) return { refusal: tooLarge(limits.maxBodyBytes) };
  if (!budget.take(expected)) return { refusal: busy() };
  try {
    const bytes = declared === null ? await readBytes(request, expected) : new Uint8Array(await request.arrayBuffer());
    return bytes === undefined ? { refusal: tooLarge(expected) } : parse(bytes, limits.maxJsonDepth);
  } catch {
    return {
      refusal: refuse({ status: 400, code: rpcCodes.parseError, message: 'The body broke off. Send it again.' }),
    };
  } finally {
    budget.giveBack(expected);
  }
}

function parse(bytes: Uint8Array, maxJsonDepth: number): JsonBody {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (thrown) {
    return { refusal: notJson(thrown) };
  }
  try {
    checkDepth(value, maxJsonDepth * envelopeDepthFactor);
  } catch (thrown) {
    const failure = toMeshError(thrown).toFailure();
    const data = { ...failure };
    return { refusal: refuse({ status: 400, code: rpcCodes.invalidRequest, message: failure.message, data }) };
  }
  return { value };
}

/** Reads a body of undeclared length; undefined when there are more than `maxBytes`. */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks);
      size += value.byteLength;
      if (size > maxBytes) return undefined;
      chunks.push(value);
    }
  } finally {
    // Not cancelled: on Node that leaves the socket paused for ever, while the adapter drains what is left and then closes.
    reader.releaseLock();
  }
}

function tooLarge(maxBytes: number): Response {
  const message = `The body is over ${maxBytes} bytes. Put large data where both sides can reach it and send its address.`;
  const data = { ok: false, error: 'payload_too_large', message, retryable: false, details: { max_bytes: maxBytes } };
  return refuse({ status: 413, code: rpcCodes.refused, message, data });
}

function busy(): Response {
  const message = 'The node is reading as many bytes as it may. Try again in a second.';
  const data = { ok: false, error: 'busy', message, retryable: true };
  return refuse({ status: 503, code: rpcCodes.refused, message, data, headers: { 'Retry-After': '1' } });
}

function notJson(thrown: unknown): Response {
  const why = thrown instanceof SyntaxError ? thrown.message : 'it is not UTF-8';
  return refuse({
    status: 400,
    code: rpcCodes.parseError,
    message: `Parse error: the body is not JSON (${why}). Send one JSON-RPC message as UTF-8 JSON.`,
  });
}
