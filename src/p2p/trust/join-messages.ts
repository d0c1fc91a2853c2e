/**
 * The protocol by which a node becomes one that is served: one request, one answer, then the stream ends.
 *
 * `join` shows a ticket. `hello` is said on every new connection by who dialled: it shows what others have signed about the node
 * and hears whether it is served. Both answers carry what the answering node has signed or been given. Frames are those of the
 * carriage: u32 big-endian length and JSON.
 */

import type { Stream } from '@libp2p/interface';
import { z } from 'zod';
import { failure } from '../../mesh/answer.ts';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { encodeFrames, encodeMessage, FrameReader } from '../../rpc/frames.ts';
import { withDeadline } from '../with-deadline.ts';
import { maxEnvelopeText } from './statement.ts';

export const joinProtocol = '/taskmesh/join/1.0.0';

/** Memberships that one side shows: one for each inviter. */
export const maxShown = 8;

/** Revocations that an issuer hands on at once; the latest. */
export const maxRevocations = 256;

/** One message, in bytes. */
const maxMessageBytes = 1024 * 1024;

const envelopes = (max: number) => z.array(z.string().max(maxEnvelopeText)).max(max).default([]);

export const joinRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('join'), ticket: z.string().max(32), secret: z.string().max(64) }),
  z.object({ type: z.literal('hello'), memberships: envelopes(maxShown), revocations: envelopes(maxRevocations) }),
]);
export type JoinRequest = z.infer<typeof joinRequest>;

export const joinAnswer = z.union([
  z.object({
    ok: z.literal(true),
    /** What the answering node has signed about the asking one. */
    membership: z.string().max(maxEnvelopeText).optional(),
    memberships: envelopes(maxShown),
    revocations: envelopes(maxRevocations),
  }),
  failure,
]);
export type JoinAnswer = z.infer<typeof joinAnswer>;

export function sendMessage(stream: Stream, message: JoinRequest | JoinAnswer): void {
  stream.send(encodeFrames([encodeMessage(message, maxMessageBytes)]));
}

/** The one message that the far side sends. Rejects with `timeout`, `peer_protocol_error` or `peer_unreachable`. */
export function receiveMessage<Message>(
  stream: Stream,
  schema: z.ZodType<Message>,
  { clock, deadlineMs, signal }: { clock: Clock; deadlineMs: number; signal?: AbortSignal },
): Promise<Message> {
  const reader = new FrameReader(maxMessageBytes);
  return withDeadline(
    { clock, deadlineMs, signal },
    () =>
      new Promise<Message>((resolve, reject) => {
        const broken = (cause: unknown): void =>
          reject(new MeshError('peer_protocol_error', `What came on ${joinProtocol} is no message of it.`, { cause }));
        stream.addEventListener('message', ({ data }) => {
          try {
            for (const piece of data instanceof Uint8Array ? [data] : data)
              reader.push(piece, (message) => {
                const parsed = schema.safeParse(message);
                if (parsed.success) resolve(parsed.data);
                else broken(parsed.error);
              });
          } catch (cause) {
            broken(cause);
          }
        });
        const ended = (): void => reject(new MeshError('peer_unreachable', 'The stream ended before the answer came.'));
        stream.addEventListener('close', ended);
        stream.addEventListener('end', ended);
      }),
    () => new MeshError('timeout', `Nothing came on ${joinProtocol} within ${deadlineMs} ms.`),
  );
}
