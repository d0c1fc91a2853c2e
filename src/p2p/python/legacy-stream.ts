/** One stream of the older protocol, served: a line in, a line out, the end. */

import { BrokenFrameError } from '../../rpc/frames.ts';
import type { Asker } from './asker.ts';
import { NotANumberError, parsePythonJson } from './json.ts';
import type { MessageStream } from './message-stream.ts';
import { bodyOf } from './messages.ts';
import type { Reply } from './operation-parts.ts';
import type { SessionParts } from './session.ts';

/** Never rejects. */
export async function serveLegacyStream(stream: MessageStream, asker: Asker, parts: SessionParts): Promise<void> {
  try {
    const body = await stream.next(parts.limits.pythonIdleMs);
    const reply = body === undefined ? failed(parts, 'invalid_message') : await answer(body, stream, asker, parts);
    await stream.send(lineOf(reply, parts));
  } catch (thrown) {
    if (!(thrown instanceof BrokenFrameError)) return;
    const detail = thrown instanceof NotANumberError ? { detail: thrown.message } : {};
    await stream.send(lineOf({ ...failed(parts, thrown.word), ...detail }, parts));
  } finally {
    stream.close();
  }
}

async function answer(body: Uint8Array, stream: MessageStream, asker: Asker, parts: SessionParts): Promise<Reply> {
  const { value, hazard } = parsePythonJson(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return failed(parts, 'invalid_message');
  if (!parts.guard.mayAsk(asker)) return failed(parts, 'rate_limited');
  if (hazard !== undefined) return { ...failed(parts, hazard.code), detail: hazard.message };
  const request = value as Record<string, unknown>;
  if (!parts.guard.admits(request, asker)) return failed(parts, 'unauthorized');
  return parts.operations.run(request, asker, stream.closed);
}

function failed({ peerId }: SessionParts, error: string): Reply {
  return { ok: false, error, peer_id: peerId };
}

function lineOf(reply: Reply, parts: SessionParts): Uint8Array {
  const body = bodyOf(reply, parts.limits.maxPythonFrameBytes - 1);
  const text = body ?? bodyOf(failed(parts, 'payload_too_large'), parts.limits.maxPythonFrameBytes) ?? new Uint8Array();
  return Buffer.concat([text, Buffer.from('\n')]);
}
