/**
 * The carriage: MCP between peers, on one long-lived stream per pair.
 *
 * A frame is a 32-bit big-endian length N and N bytes of UTF-8 JSON, one JSON-RPC message. N = 0 is invalid. Requests follow
 * MCP's sessionless binding (revision 2026-07-28): no `initialize`; each request's `_meta` says protocol version and client
 * capabilities. Both sides may ask and answer at once. Before the stream is closed for a broken frame, one error with id null
 * says why. Source: the MCP specification, revision 2026-07-28, and the carriage's `/mcp+p2p/1.0.0` binding.
 */

import type { MeshError } from '../mesh/errors.ts';
import type { BrokenFrame } from '../rpc/frames.ts';
import type { RpcFailure } from '../rpc/message.ts';

/** libp2p protocol id of the carriage. */
export const carriageProtocol = '/mcp+p2p/1.0.0';

/** The one revision that peers of ours speak to each other. */
export const mcpRevision = '2026-07-28';

export const protocolVersionKey = 'io.modelcontextprotocol/protocolVersion';
export const serverInfoKey = 'io.modelcontextprotocol/serverInfo';
export const clientInfoKey = 'io.modelcontextprotocol/clientInfo';
export const clientCapabilitiesKey = 'io.modelcontextprotocol/clientCapabilities';

/** Key in `_meta`: the caller reads `structuredContent` alone, so that the same data need not be sent once more as text. */
export const structuredOnlyKey = 'taskmesh/structuredOnly';

/** JSON-RPC error code of a broken frame. */
const brokenFrameCode = -32003;

/** The last message on a stream whose far side sent a broken frame; the short message is the wire's own word. */
export function brokenFrameMessage(word: BrokenFrame, error: MeshError): RpcFailure {
  return { jsonrpc: '2.0', id: null, error: { code: brokenFrameCode, message: word, data: error.toFailure() } };
}
