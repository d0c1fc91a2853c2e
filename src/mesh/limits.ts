/**
 * Every bound of the program, together: value, unit (in the name), reason.
 *
 * They are defaults; `createMesh` and the tests may pass tighter ones. Sizes are of UTF-8 JSON text.
 */

export interface Limits {
  // --- What one task may be -------------------------------------------------------------------------------------------
  /** A task's payload. One frame, one HTTP body and one SQLite row must hold it with room to spare. */
  readonly maxPayloadBytes: number;
  /** A task's result, for the same reason. */
  readonly maxResultBytes: number;
  /** A progress note, and an error's text: they are kept with the task and sent often. */
  readonly maxNoteBytes: number;
  /** Nesting of JSON from outside: parsers and validators recurse. */
  readonly maxJsonDepth: number;

  // --- What one queue may hold ----------------------------------------------------------------------------------------
  /** Tasks in all states. */
  readonly maxTasks: number;
  /** Payloads and results in all, on disk. */
  readonly maxStoredBytes: number;
  /** Claims and waits that are waiting. */
  readonly maxWaiters: number;
  /** Tasks in one `submit_many`. */
  readonly maxBatch: number;
  /** Calls that one group commit takes in; more wait for the next one. */
  readonly maxCommitBatch: number;
  /** Bytes of payloads and results after which a group commit takes in no more: writing them holds up the thread. */
  readonly maxCommitBytes: number;
  /** Bytes of payloads and results in one answer of `list`; the rest is behind the cursor. */
  readonly maxListBytes: number;

  // --- What the cache may hold ----------------------------------------------------------------------------------------
  readonly maxCacheEntries: number;
  readonly maxCacheBytes: number;
  readonly maxCacheValueBytes: number;

  // --- What one call may take -----------------------------------------------------------------------------------------
  /** Longest time that a `wait` or a waiting `claim` may ask for, in milliseconds. Longer waits are repeated. */
  readonly maxWaitMs: number;
  /** A call that says nothing about its deadline: own waiting time plus this, in milliseconds. */
  readonly callDeadlineMs: number;
  /** Events that wait for one slow listener behind a bridge, before the older ones of a task or peer are left out. */
  readonly maxPendingEvents: number;
  /** Calls in flight across one bridge or from one peer. */
  readonly maxInFlight: number;
  /** Answers and requests that wait for a slow reader, in bytes, before calls are refused as `busy`. */
  readonly maxBufferedBytes: number;
  /** One message across the bridge, in bytes: what fits in an HTTP body, with its defaults filled in. */
  readonly maxBridgeFrameBytes: number;
  /** Servers that are connected to one P2P service, and HTTP sessions with it. */
  readonly maxBridges: number;
  /** An HTTP session with the P2P service in which nothing was sent for this long is ended, in milliseconds; servers ping. */
  readonly bridgeIdleMs: number;

  // --- The wire between peers -----------------------------------------------------------------------------------------
  /** One frame: a task's payload or result, a page of `list`, and the envelope. */
  readonly maxFrameBytes: number;
  /** From the first byte of a frame to its last, in milliseconds. */
  readonly frameDeadlineMs: number;
  /** Dialling, handshake and protocol negotiation, in milliseconds. */
  readonly dialDeadlineMs: number;
  /** Requests per second that one peer may send, and how many it may save up. */
  readonly peerRequestsPerSecond: number;
  readonly peerRequestBurst: number;
  /** Connections in all. */
  readonly maxConnections: number;
  /** Large requests of one peer that are worked on at once, in bytes; more wait, and are refused when they wait for long. */
  readonly maxPeerServingBytes: number;
  /** Streams of the carriage that one peer may hold open. */
  readonly maxStreamsPerPeer: number;

  // --- HTTP -----------------------------------------------------------------------------------------------------------
  /** One HTTP body; over `maxFrameBytes` no operation could need it. */
  readonly maxBodyBytes: number;
  /** From the connection to the last header, and to the last byte of the body, in milliseconds. */
  readonly headersDeadlineMs: number;
  readonly bodyDeadlineMs: number;
  /** MCP sessions of clients that speak a revision with sessions. */
  readonly maxSessions: number;
  /** A session without a request for this long is ended, in milliseconds. */
  readonly sessionIdleMs: number;
  /** HTTP connections in all; more than `maxSessions`, because each session may hold a stream open. */
  readonly maxHttpConnections: number;
  /** A connection between two requests is kept for this long, in milliseconds. */
  readonly httpKeepAliveMs: number;
  /** A connection on which no byte moves for this long is cut, in milliseconds; waiting streams send a comment every 15 s. */
  readonly httpStallMs: number;
  /** How long one reading of the metrics waits for the mesh, in milliseconds; scrapers give up after 10 s. */
  readonly metricsDeadlineMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Limits = {
  maxPayloadBytes: 1 * MiB,
  maxResultBytes: 1 * MiB,
  maxNoteBytes: 16 * KiB,
  maxJsonDepth: 64,
  maxTasks: 1_000_000,
  maxStoredBytes: 4096 * MiB,
  maxWaiters: 10_000,
  maxBatch: 100,
  maxCommitBatch: 256,
  maxCommitBytes: 8 * MiB,
  maxListBytes: 1 * MiB,
  maxCacheEntries: 100_000,
  maxCacheBytes: 256 * MiB,
  maxCacheValueBytes: 1 * MiB,
  maxWaitMs: 600_000,
  callDeadlineMs: 15_000,
  maxPendingEvents: 4_096,
  maxInFlight: 16_384,
  maxBufferedBytes: 64 * MiB,
  maxBridgeFrameBytes: 8 * MiB,
  maxBridges: 64,
  bridgeIdleMs: 60_000,
  maxFrameBytes: 4 * MiB,
  frameDeadlineMs: 10_000,
  dialDeadlineMs: 10_000,
  peerRequestsPerSecond: 10_000,
  peerRequestBurst: 20_000,
  maxConnections: 300,
  maxPeerServingBytes: 16 * MiB,
  maxStreamsPerPeer: 4,
  maxBodyBytes: 4 * MiB,
  headersDeadlineMs: 5_000,
  bodyDeadlineMs: 10_000,
  maxSessions: 1_000,
  sessionIdleMs: 1_800_000,
  maxHttpConnections: 2_000,
  httpKeepAliveMs: 5_000,
  httpStallMs: 60_000,
  metricsDeadlineMs: 1_000,
};
