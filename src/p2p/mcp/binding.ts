/**
 * Which of MCP's bindings a stream speaks: its first request decides, for as long as the stream lives. Made by the peer links,
 * one per stream, in front of the peer's handler.
 *
 * | first request | binding | then |
 * |---|---|---|
 * | one whose `_meta` names a protocol version | sessionless (revision 2026-07-28) | `initialize` is refused with -32601 |
 * | `initialize` with a `protocolVersion` | session (earlier revisions) | `ping`, `tools/list`, `tools/call` without an envelope |
 * | `server/discover` | not decided yet | a client may fall back to `initialize` after it |
 *
 * A Python node's `initialize` has `profiles` and no `protocolVersion`; it is served on a listener of its own (`src/p2p/python`),
 * and refused here with a word why.
 *
 * Source: MCP specification, revision 2025-11-25, "Lifecycle", and revision 2026-07-28, "Versioning".
 */

import { MeshError } from '../../mesh/errors.ts';
import type { Handler } from '../../rpc/endpoint.ts';
import type { IncomingCall } from '../../rpc/incoming-call.ts';
import { deadlineKey, type RpcParams } from '../../rpc/message.ts';
import { clientCapabilitiesKey, mcpRevision, protocolVersionKey } from '../carriage.ts';

/** Revisions of the session binding, the newest first. */
const sessionRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const envelope = { [protocolVersionKey]: mcpRevision, [clientCapabilitiesKey]: {} };

export class StreamBinding {
  readonly #handle: Handler;
  #binding: 'sessionless' | 'session' | undefined;
  #fromNode = true;

  constructor(handle: Handler) {
    this.#handle = handle;
  }

  /** False once the far side has shown that it is some other MCP client: such a one is not asked anything in return. */
  get mayBeAsked(): boolean {
    return this.#fromNode;
  }

  readonly handle: Handler = async (method, params, call) => {
    // Nodes say with each request how long they wait.
    if (params._meta?.[deadlineKey] === undefined) this.#fromNode = false;
    if (method === 'initialize' && params._meta?.[protocolVersionKey] === undefined)
      return await this.#initialize(params, call);
    if (this.#binding === undefined && method !== 'server/discover') this.#binding = 'sessionless';
    if (this.#binding !== 'session') return this.#handle(method, params, call);
    if (method === 'ping') {
      await this.#discover(params, call);
      return {};
    }
    const _meta = { ...params._meta, ...envelope };
    return withoutEnvelope(await this.#handle(method, { ...params, _meta }, call));
  };

  /** What the node says about itself. What a session adds to the sessionless binding counts as a request like any other. */
  async #discover(params: RpcParams, call: IncomingCall): Promise<Record<string, unknown>> {
    return withoutEnvelope(await this.#handle('server/discover', params, call));
  }

  async #initialize(params: RpcParams, call: IncomingCall): Promise<object> {
    const { protocolVersion } = params;
    if (this.#binding === 'sessionless') {
      throw new MeshError(
        'unknown_operation',
        'This stream speaks the sessionless binding, which has no initialize. Open another stream for a session.',
      );
    }
    if (typeof protocolVersion !== 'string') {
      throw new MeshError(
        'invalid_params',
        `initialize must name a protocolVersion, such as "${sessionRevisions[0]}". Python nodes are served on the listener that python-listen sets.`,
      );
    }
    const { supportedVersions, _meta, ...identity } = await this.#discover(params, call);
    this.#binding = 'session';
    const known = (sessionRevisions as readonly string[]).includes(protocolVersion);
    return { protocolVersion: known ? protocolVersion : sessionRevisions[0], ...identity };
  }
}

/** Earlier revisions do not know these fields of a result. */
function withoutEnvelope(result: unknown): Record<string, unknown> {
  const { resultType, ttlMs, cacheScope, ...rest } = result as Record<string, unknown>;
  return rest;
}
