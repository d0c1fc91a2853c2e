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
  /** Claims and waits that are waiting. Peers get four fifths of the places: the rest is for the node's own callers. */
  readonly maxWaiters: number;
  /** Tasks in one `submit_many`. */
  readonly maxBatch: number;
  /** Calls that one group commit takes in; more wait for the next one. */
  readonly maxCommitBatch: number;
  /** Bytes of payloads and results after which a group commit takes in no more: writing them holds up the thread. */
  readonly maxCommitBytes: number;
  /** When so many bytes of them were committed, SQLite's log is moved into its file, between two commits: it takes as long as they. */
  readonly checkpointBytes: number;
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
  /** Requests of one such session whose bodies are read at once; a server sends one, which lasts as long as the session. */
  readonly maxSessionBodies: number;

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
  /** Requests of one peer that are worked on at once, over all its streams, and those of all peers together. */
  readonly maxPeerInFlight: number;
  readonly maxServing: number;
  /** Claims and waits of one peer that are waiting. */
  readonly maxPeerWaiters: number;
  /** Frames and bytes per second that one peer may send, and how many it may save up; over it, reading pauses. */
  readonly peerFramesPerSecond: number;
  readonly peerFrameBurst: number;
  readonly peerBytesPerSecond: number;
  readonly peerByteBurst: number;
  /** Bytes per second that one peer may send while others ask for something too, and how many it may save up. */
  readonly peerSharedBytesPerSecond: number;
  readonly peerSharedByteBurst: number;
  /** Of the event loop's time, what one peer gets while others ask for something too, in percent. Alone it gets all of it. */
  readonly peerLoopPercent: number;
  /** How long after its last request a peer still counts as one that asks, in milliseconds. */
  readonly peerAskingMs: number;
  /** Connections in all. */
  readonly maxConnections: number;
  /** Connections that have not said yet who they are; one address gets half of these places at most. */
  readonly maxPendingConnections: number;
  /** Connections of one peer: one direct, one by a relay, and as many again while both sides dial. */
  readonly maxConnectionsPerPeer: number;
  /** Connections of peers that are not served (yet): they may show a ticket or a membership, and hear why not. */
  readonly maxPorch: number;
  /** How long such a connection is kept, in milliseconds. */
  readonly porchMs: number;
  /** A stream of the carriage on which nothing moves for this long, with nothing in flight, is closed; the next call makes a new one. */
  readonly streamIdleMs: number;
  /** Large requests of one peer that are worked on at once, in bytes; more wait, and are refused when they wait for long. */
  readonly maxPeerServingBytes: number;
  /** Streams of the carriage that one peer may hold open. */
  readonly maxStreamsPerPeer: number;
  /** Streams that one peer may end by breaking the framing before it is shut out; forgotten when it has broken none for so long. */
  readonly maxFaults: number;
  readonly faultsKeptMs: number;
  /** How long a peer that breaks the rules again and again is shut out, in milliseconds; each time twice as long, up to the second. */
  readonly shutOutMs: number;
  readonly maxShutOutMs: number;
  /** A connection that a peer has made and on which it asks nothing is closed after this, in milliseconds. */
  readonly connectionIdleMs: number;
  /** Peers that a node which serves as a relay gives a place to, so that others reach them by way of it. */
  readonly maxRelayReservations: number;

  // --- The wire to and from Python nodes ------------------------------------------------------------------------------
  /** One frame or line that is taken or answered there, in bytes: what Python nodes take. */
  readonly maxPythonFrameBytes: number;
  /** One frame that a Python node answers, in bytes: what it may write. */
  readonly maxPythonReplyBytes: number;
  /** Frames on one stream, and how many a second are refilled: what Python nodes count. */
  readonly maxPythonStreamFrames: number;
  /** A stream of a Python node on which nothing is asked, and a connection without a stream, end after this, in milliseconds. */
  readonly pythonIdleMs: number;
  /** Requests per second from one address; twice as many may be saved up. Each call of a Python client is a new peer. */
  readonly pythonRequestsPerSecond: number;
  /** Connections of Python nodes in all; half of them from one address. */
  readonly maxPythonConnections: number;
  /** Streams of Python nodes that are served at once. */
  readonly maxPythonStreams: number;
  /** Streams that are used at once towards one Python node; each carries one request at a time. */
  readonly maxPythonSessions: number;

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
  maxCommitBytes: 512 * KiB,
  checkpointBytes: 512 * KiB,
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
  maxSessionBodies: 4,
  maxFrameBytes: 4 * MiB,
  frameDeadlineMs: 10_000,
  dialDeadlineMs: 10_000,
  peerRequestsPerSecond: 10_000,
  peerRequestBurst: 20_000,
  maxPeerInFlight: 8_192,
  maxServing: 32_768,
  maxPeerWaiters: 2_000,
  peerFramesPerSecond: 50_000,
  peerFrameBurst: 100_000,
  peerBytesPerSecond: 512 * MiB,
  peerByteBurst: 128 * MiB,
  peerSharedBytesPerSecond: 4 * MiB,
  peerSharedByteBurst: MiB,
  peerLoopPercent: 50,
  peerAskingMs: 1_000,
  maxConnections: 300,
  maxPendingConnections: 64,
  maxConnectionsPerPeer: 8,
  maxPorch: 32,
  porchMs: 5_000,
  streamIdleMs: 600_000,
  maxPeerServingBytes: 16 * MiB,
  maxStreamsPerPeer: 4,
  maxFaults: 16,
  faultsKeptMs: 600_000,
  shutOutMs: 1_000,
  maxShutOutMs: 300_000,
  connectionIdleMs: 900_000,
  maxRelayReservations: 64,
  maxPythonFrameBytes: 1 * MiB,
  maxPythonReplyBytes: 16 * MiB,
  maxPythonStreamFrames: 128,
  pythonIdleMs: 60_000,
  pythonRequestsPerSecond: 200,
  maxPythonConnections: 100,
  maxPythonStreams: 256,
  maxPythonSessions: 16,
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
