/** The names of the ways across the wire; `wire-ends.ts` opens them. */

export const wireWays = ['tcp', 'http', 'websocket', 'stream_per_call', 'one_stream'] as const;
export type WireWay = (typeof wireWays)[number];
