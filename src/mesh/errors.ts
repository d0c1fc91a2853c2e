/**
 * The one error type and the one table of its codes.
 *
 * Everything that fails across a `Mesh` fails with a `MeshError`; every face (MCP tool, command line, bridge, wire between
 * peers) shows the same code. Codes are stable: they may be added, never renamed. Where the Python node has a code for the
 * same thing, its word is used.
 */

interface ErrorKind {
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** What the code means, for the documentation. */
  readonly summary: string;
}

const kinds = {
  invalid_params: { retryable: false, summary: 'The input does not fit the operation’s schema.' },
  invalid_json: { retryable: false, summary: 'The bytes are not UTF-8 JSON.' },
  invalid_message: { retryable: false, summary: 'The JSON is not a message of this protocol.' },
  payload_too_large: { retryable: false, summary: 'A payload, result, value or body is over its size limit.' },
  too_deep: { retryable: false, summary: 'JSON is nested more deeply than the limit.' },
  frame_too_large: { retryable: false, summary: 'A frame announces more bytes than the limit.' },
  unknown_operation: { retryable: false, summary: 'No operation of this name exists.' },
  task_not_found: {
    retryable: false,
    summary: 'The owner has no task of this id; it may have been pruned after its time to live.',
  },
  task_cancelled: { retryable: false, summary: 'The task was cancelled; whoever works on it should stop.' },
  stale_fence: {
    retryable: false,
    summary: 'The lease was lost: it expired, was released, or another worker holds the task now.',
  },
  wrong_state: { retryable: false, summary: 'The task is in a state that does not allow this.' },
  idempotency_conflict: { retryable: false, summary: 'The idempotency key was used before for different work.' },
  queue_full: { retryable: true, summary: 'The owner holds as many tasks or bytes as it may.' },
  too_many_waiters: { retryable: true, summary: 'The owner holds as many waiting claims or waits as it may.' },
  invalid_multiaddr: { retryable: false, summary: 'The text is not a multiaddr that this node can dial.' },
  invalid_peer_id: { retryable: false, summary: 'The text is not a peer id.' },
  peer_not_found: { retryable: true, summary: 'No address of this peer is known.' },
  peer_unreachable: {
    retryable: true,
    summary: 'The peer could not be dialled, or the connection broke before it answered.',
  },
  peer_protocol_error: { retryable: false, summary: 'The peer sent something that the protocol does not allow.' },
  unauthorized: { retryable: false, summary: 'The other side does not allow this caller to do that.' },
  rate_limited: { retryable: true, summary: 'The caller sent more than its quota allows.' },
  unknown_tool: { retryable: false, summary: 'The node offers no tool of this name.' },
  tools_disabled: { retryable: false, summary: 'The node offers no tools to be called.' },
  tool_error: { retryable: false, summary: 'The tool ran and failed.' },
  cache_full: { retryable: true, summary: 'The value does not fit in the cache.' },
  timeout: {
    retryable: true,
    summary: 'The deadline passed before the answer came; the work may or may not have been done.',
  },
  cancelled: { retryable: true, summary: 'The caller gave up before the answer came.' },
  busy: { retryable: true, summary: 'As many calls are in flight as may be.' },
  protocol_mismatch: {
    retryable: false,
    summary: 'The two sides speak no common version of the bridge’s protocol, or of MCP; one must be upgraded.',
  },
  mesh_down: { retryable: true, summary: 'The P2P side has stopped or is restarting; calls in flight were failed.' },
  invalid_config: { retryable: false, summary: 'A setting has a value that cannot be used.' },
  address_in_use: { retryable: false, summary: 'Another program listens on the address.' },
  data_folder_locked: { retryable: false, summary: 'Another node holds the data folder.' },
  data_corrupt: { retryable: false, summary: 'A file in the data folder is damaged.' },
  storage_failed: {
    retryable: true,
    summary: 'The disk refused a write (full, read-only, broken); nothing was accepted.',
  },
  internal_error: { retryable: false, summary: 'A fault in taskmesh itself; the log has the cause.' },
} as const satisfies Record<string, ErrorKind>;

/** A stable snake_case error code. */
export type ErrorCode = keyof typeof kinds;

/** Each code with its meaning and whether it is retryable: the documentation is made from this table. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = kinds;

/** All codes, in the table's order. */
export const errorCodes = Object.keys(kinds) as [ErrorCode, ...ErrorCode[]];

/** Tells whether a string is one of the table's codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(kinds, code);
}

/** How an error looks outside of the program: the `ok: false` half of every answer. */
export interface Failure {
  ok: false;
  /** Stable snake_case code. */
  error: ErrorCode;
  /** What happened, why, and what to do next. */
  message: string;
  retryable: boolean;
  /** Facts that belong to the code, e.g. `{ path: ['lease_s'] }`. */
  details?: Record<string, unknown>;
}

interface MeshErrorOptions extends ErrorOptions {
  retryable?: boolean;
  details?: Record<string, unknown>;
}

/** The only error that a `Mesh` rejects with. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'MeshError';
    this.code = code;
    this.retryable = options.retryable ?? kinds[code].retryable;
    this.details = options.details;
  }

  /** The structured answer for this error. */
  toFailure(): Failure {
    const failure: Failure = { ok: false, error: this.code, message: this.message, retryable: this.retryable };
    if (this.details !== undefined) failure.details = this.details;
    return failure;
  }

  /** The error that a failure from another context stands for; unknown codes of a newer side become `internal_error`. */
  static fromFailure(failure: {
    error: string;
    message: string;
    retryable: boolean;
    details?: Record<string, unknown>;
  }): MeshError {
    const code = isErrorCode(failure.error) ? failure.error : 'internal_error';
    const details = code === failure.error ? failure.details : { ...failure.details, error: failure.error };
    return new MeshError(code, failure.message, { retryable: failure.retryable, ...(details ? { details } : {}) });
  }
}

/**
 * Turns whatever was thrown into a `MeshError`: the one place where the unknown becomes typed.
 * Messages of unknown errors stay in `cause` (for the log) and do not leave the program.
 */
export function toMeshError(thrown: unknown): MeshError {
  if (thrown instanceof MeshError) return thrown;
  if (thrown instanceof DOMException || thrown instanceof Error) {
    if (thrown.name === 'TimeoutError')
      return new MeshError(
        'timeout',
        'The deadline passed before the answer came. Try again, with more time if the work is long.',
        { cause: thrown },
      );
    if (thrown.name === 'AbortError')
      return new MeshError('cancelled', 'The call was cancelled by its caller.', { cause: thrown });
  }
  if (thrown instanceof Error && thrown.name === 'NotCapable') {
    return new MeshError(
      'invalid_config',
      `Deno was started without a permission that this needs: ${thrown.message}.`,
      { cause: thrown },
    );
  }
  return new MeshError(
    'internal_error',
    'Something failed inside taskmesh; its log says what. If it happens again, report it.',
    { cause: thrown },
  );
}
