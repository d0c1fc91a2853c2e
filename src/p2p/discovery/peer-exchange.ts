/**
 * Peers heard of from peers: a node asks one that it is connected with for the signed records of those that this one is
 * connected with. Asked by the finder and by `discover`; answered to every peer of the mesh.
 *
 * Whoever asks opens a stream of this protocol id and ends its half; the answer is one JSON text up to the end of the other
 * half: `{"records": [base64]}`. (The answer must not come before the asker has ended its half: js-libp2p loses what arrives in
 * one piece with the end of the protocol's negotiation.)
 *
 * Each record is a libp2p signed peer record, and is verified before an address of it is used: whoever answers can leave
 * peers out, and can send nobody to an address that the peer itself has not named.
 */

import type { Stream } from '@libp2p/interface';
import { z } from 'zod';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { Host } from '../libp2p-host.ts';
import { isLoopback, isRelayed, parsePeerId } from '../reach/addresses.ts';
import { withDeadline } from '../with-deadline.ts';
import { maxEnvelopeBytes, type OpenedRecord, openRecord } from './signed-record.ts';

/** libp2p protocol id of the exchange. */
export const exchangeProtocol = '/taskmesh/peers/1.0.0';

/** Records in one answer: more peers than a node connects to because it heard of them. */
const maxRecords = 64;

const maxAnswerBytes = 512 * 1024;

/** There is nothing to be said in a question yet. */
const maxQuestionBytes = 1024;

/** From opening the stream to the answer's last byte, in milliseconds. */
const answerMs = 3_000;

/** Questions of one peer that are answered at once. */
const maxInboundStreams = 4;

const answer = z.object({ records: z.array(z.base64().max(2 * maxEnvelopeBytes)).max(maxRecords) });

export interface PeerExchangeOptions {
  host: Host;
  clock: Clock;
  /** Peers of the mesh that are connected now: those that others are told of. */
  meshPeers(): readonly string[];
  /** Whether the peer may ask: strangers are told nothing. */
  serves(peerId: string): boolean;
}

/** What a peer told. */
export interface Told {
  readonly records: OpenedRecord[];
  /** Why records were refused, one text for each. */
  readonly refused: string[];
}

export class PeerExchange {
  readonly #options: PeerExchangeOptions;

  constructor(options: PeerExchangeOptions) {
    this.#options = options;
  }

  /** Answers the questions of others from now on. */
  async serve(): Promise<void> {
    await this.#options.host.handle(
      exchangeProtocol,
      (stream, { remotePeer }) => void this.#answer(stream, remotePeer.toString()),
      { maxInboundStreams, maxOutboundStreams: maxInboundStreams, runOnLimitedConnection: true },
    );
  }

  /** Asks a peer that is connected. Rejects with `peer_unreachable`, `peer_protocol_error` or `timeout`. */
  async ask(peerId: string, signal?: AbortSignal): Promise<Told> {
    const { host, clock } = this.#options;
    const connection = host.getConnections(parsePeerId(peerId)).find(({ status }) => status === 'open');
    if (connection === undefined) throw new MeshError('peer_unreachable', `Peer ${peerId} is not connected any more.`);
    const text = await withDeadline(
      { clock, deadlineMs: answerMs, signal },
      async (stop) => {
        const stream = await openStream();
        await stream.close();
        return readToEnd(stream, maxAnswerBytes, stop);
      },
      () => new MeshError('timeout', `Peer ${peerId} did not tell within ${answerMs} ms whom it knows.`),
    );
    const told = await openAll(parse(peerId, text));
    const near = isLoopback(connection.remoteAddr);
    const records = told.records
      .filter((record) => record.peerId !== host.peerId.toString())
      // Another machine's loopback is this one's own: whatever answers there is somebody else.
      .map(({ peerId: of, addresses }) => ({
        peerId: of,
        addresses: addresses.filter((address) => near || isRelayed(address) || !isLoopback(address)),
      }))
      .filter(({ addresses }) => addresses.length > 0);
    return { ...told, records };

    async function openStream(): Promise<Stream> {
      try {
        return await (connection as NonNullable<typeof connection>).newStream(exchangeProtocol, {
          runOnLimitedConnection: true,
        });
      } catch (cause) {
        throw new MeshError('peer_unreachable', `Peer ${peerId} could not be asked whom it knows.`, { cause });
      }
    }
  }

  async #answer(stream: Stream, asker: string): Promise<void> {
    try {
      if (!this.#options.serves(asker)) throw new Error('not served');
      await withDeadline(
        { clock: this.#options.clock, deadlineMs: answerMs },
        (stop) => readToEnd(stream, maxQuestionBytes, stop),
        () => new MeshError('timeout', 'The question did not end.'),
      );
      const records: string[] = [];
      for (const peerId of this.#options.meshPeers()) {
        if (peerId === asker || records.length >= maxRecords) continue;
        const { peerRecordEnvelope } = await this.#options.host.peerStore.get(parsePeerId(peerId));
        if (peerRecordEnvelope === undefined || peerRecordEnvelope.byteLength > maxEnvelopeBytes) continue;
        records.push(Buffer.from(peerRecordEnvelope).toString('base64'));
      }
      stream.send(new TextEncoder().encode(JSON.stringify({ records })));
      await stream.close();
    } catch (error) {
      stream.abort(error as Error);
    }
  }
}

function readToEnd(stream: Stream, maxBytes: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const fail = (error: MeshError): void => {
      reject(error);
      stream.abort(error);
    };
    const brokenOff = (cause?: Error): void =>
      fail(new MeshError('peer_unreachable', 'The peer broke off before it had told whom it knows.', { cause }));
    const done = (): void => {
      if (stream.status === 'aborted' || stream.status === 'reset') brokenOff();
      else resolve(Buffer.concat(pieces).toString('utf8'));
    };
    stream.addEventListener('end', done);
    stream.addEventListener('close', ({ error }) => brokenOff(error));
    stream.addEventListener('message', ({ data }) => {
      bytes += data.byteLength;
      if (bytes > maxBytes) fail(new MeshError('peer_protocol_error', `The peer sent more than ${maxBytes} bytes.`));
      else pieces.push(data.subarray());
    });
    signal.addEventListener('abort', () => brokenOff(), { once: true });
    if (stream.readableEnded) done();
    else if (signal.aborted || stream.status !== 'open') brokenOff();
  });
}

function parse(peerId: string, text: string): readonly string[] {
  try {
    return answer.parse(JSON.parse(text)).records;
  } catch (cause) {
    throw new MeshError('peer_protocol_error', `Peer ${peerId} told of other peers in a way that cannot be read.`, {
      cause,
    });
  }
}

async function openAll(envelopes: readonly string[]): Promise<Told> {
  const told: Told = { records: [], refused: [] };
  for (const text of envelopes) {
    try {
      told.records.push(await openRecord(Buffer.from(text, 'base64')));
    } catch (error) {
      told.refused.push(toMeshError(error).message);
    }
  }
  return told;
}
