/**
 * The bridge's protocol: what crosses beside the operations, and in which versions. The same messages cross every way.
 *
 * The near side says hello first; everything else is refused before. Then it calls operations (method = the operation's
 * name, params `{ input }`) and the verbs below. Errors cross as JSON-RPC errors whose `data` is the structured failure.
 */

import { version } from '../mesh/build.ts';
import { MeshError } from '../mesh/errors.ts';

/** Versions of the protocol that this build speaks. A change that an older side would misread raises `newest`. */
export const spoken: ProtocolRange = { oldest: 1, newest: 1 };

export interface ProtocolRange {
  oldest: number;
  newest: number;
}

/** The verbs beside the operations. */
export const verbs = {
  /** First of all. Params `Hello`, answers `Welcome`. Fails with `protocol_mismatch` or `unauthorized`. */
  hello: 'bridge/hello',
  /** Builds and starts the node; params `{ options }`. Only where the near side owns the far side's life. */
  start: 'bridge/start',
  /** Stops the node; answers when everything is closed. Only where the near side owns the far side's life. */
  stop: 'bridge/stop',
  /** Answers `{}` as soon as the far side's loop gets to it: the health check. */
  ping: 'bridge/ping',
  /** Turns events on or off; params `{ on }`. */
  subscribe: 'bridge/subscribe',
  /** From the far side: params `{ events, missed }`. A request, so that the next batch waits for this one's answer. */
  events: 'bridge/events',
} as const;

export interface Hello extends ProtocolRange {
  /** taskmesh's version, for people. */
  build: string;
  /** The shared secret of ways that ask for one. */
  token?: string;
}

export interface Welcome {
  /** The version that both sides speak from here on. */
  protocol: number;
  build: string;
  /** Bounds of the far side, so that the near side need not run into them. */
  limits: { maxInFlight: number; maxBufferedBytes: number; maxFrameBytes: number };
}

/** What this side says first. */
export function hello(token?: string): Hello {
  return { ...spoken, build: version, ...(token === undefined ? {} : { token }) };
}

/**
 * The highest version that both speak. Throws `protocol_mismatch`, which says which side to upgrade, and `invalid_message`
 * for what is no hello.
 */
export function agree(theirs: Partial<Hello>, ours: ProtocolRange = spoken): number {
  const { oldest, newest, build = 'unknown' } = theirs;
  if (!Number.isInteger(oldest) || !Number.isInteger(newest)) {
    throw new MeshError('invalid_message', 'The bridge’s first message must be a hello with the protocol’s range.');
  }
  const [low, high] = [oldest as number, newest as number];
  const agreed = Math.min(high, ours.newest);
  if (agreed >= Math.max(low, ours.oldest)) return agreed;
  const [old, fresh] = high < ours.oldest ? ['server', 'P2P service'] : ['P2P service', 'server'];
  throw new MeshError(
    'protocol_mismatch',
    `The ${fresh} is too new for the ${old}: the server (taskmesh ${build}) speaks versions ${low} to ${high} of the bridge’s ` +
      `protocol, the P2P service (taskmesh ${version}) ${ours.oldest} to ${ours.newest}. Upgrade the ${old}.`,
    { details: { server: { oldest: low, newest: high, build }, service: { ...ours, build: version } } },
  );
}
