/**
 * The bridge's protocol: what crosses beside the operations, and in which versions. The same messages cross every way.
 *
 * The near side says hello first; everything else is refused before. Then it calls operations (method = the operation's
 * name, params `{ input }`) and the verbs below. Errors cross as JSON-RPC errors whose `data` is the structured failure.
 */

import { z } from 'zod';
import { version } from '../mesh/build.ts';
import { MeshError } from '../mesh/errors.ts';

/** Versions of the protocol that this build speaks. A change that an older side would misread raises `newest`. */
export const spoken: ProtocolRange = { oldest: 2, newest: 2 };

export interface ProtocolRange {
  oldest: number;
  newest: number;
}

/** The verbs beside the operations. */
export const verbs = {
  hello: 'bridge/hello',
  start: 'bridge/start',
  stop: 'bridge/stop',
  ping: 'bridge/ping',
  subscribe: 'bridge/subscribe',
  events: 'bridge/events',
} as const;

/** What each verb means: the documentation is made from it. */
export const verbNotes: Readonly<Record<keyof typeof verbs, VerbNote>> = {
  hello: {
    from: 'near',
    params: '`{oldest, newest, build, token?}`',
    answer: '`{protocol, build, limits}`',
    meaning:
      'First of all. Fails with `protocol_mismatch`, which says which side to upgrade, or with `unauthorized`. `limits` are the far side’s bounds.',
  },
  start: {
    from: 'near',
    params: '`{options}`',
    answer: '`{}`',
    meaning: 'Builds and starts the node. Only in a worker thread, whose life is its server’s.',
  },
  stop: {
    from: 'near',
    params: '`{}`',
    answer: '`{}`',
    meaning: 'Stops the node; answers when everything is closed. Only in a worker thread.',
  },
  ping: {
    from: 'near',
    params: '`{}`',
    answer: '`{}`',
    meaning: 'The health check: answered as soon as the far side’s loop gets to it.',
  },
  subscribe: { from: 'near', params: '`{on}`', answer: '`{}`', meaning: 'Turns the node’s events on or off.' },
  events: {
    from: 'far',
    params: '`{events, missed}`',
    answer: '`{}`',
    meaning:
      'Events in their order. A request, so that the next batch waits for this one’s answer; `missed` counts those that were left out meanwhile, never the last of a task or peer.',
  },
};

export interface VerbNote {
  /** Who sends it: the near side is the server, the far side has the node. */
  from: 'near' | 'far';
  params: string;
  answer: string;
  meaning: string;
}

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

const helloShape = z.object({
  oldest: z.int(),
  newest: z.int(),
  build: z.string().max(100).default('unknown'),
});

/** What this side says first. */
export function hello(token?: string): Hello {
  return { ...spoken, build: version, ...(token === undefined ? {} : { token }) };
}

/**
 * The highest version that both speak. Throws `protocol_mismatch`, which says which side to upgrade, and `invalid_message`
 * for what is no hello.
 */
export function agree(theirs: unknown, ours: ProtocolRange = spoken): number {
  const { success, data } = helloShape.safeParse(theirs);
  if (!success || data.oldest > data.newest) {
    throw new MeshError(
      'invalid_message',
      `The bridge’s first message must be a hello with the versions that are spoken: ${JSON.stringify({ ...ours, build: version })}.`,
    );
  }
  const { oldest: low, newest: high, build } = data;
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
