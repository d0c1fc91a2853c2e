/** What a session on the Python listener answers about itself. */

import { version } from '../../mesh/build.ts';
import type { Limits } from '../../mesh/limits.ts';
import { mcpRevision } from '../carriage.ts';
import { rpcTool, sessionProtocol, sessionRevision } from './messages.ts';

const serverInfo = { name: 'taskmesh', version } as const;

export function initializeResult(
  peerId: string,
  limits: Pick<Limits, 'maxPythonFrameBytes' | 'maxPythonStreamFrames'>,
): Record<string, unknown> {
  const frames = limits.maxPythonStreamFrames;
  return {
    protocolVersion: sessionRevision,
    serverInfo,
    capabilities: { tools: { listChanged: true } },
    transport: sessionProtocol,
    server: { peer_id: peerId },
    limits: {
      max_frame_bytes: limits.maxPythonFrameBytes,
      max_frames: frames,
      rate_capacity: frames,
      rate_refill_per_sec: frames,
    },
  };
}

const tool = {
  name: rpcTool,
  description: 'Asks the task queue: op names the operation, its fields stand beside it, token is the shared token.',
  inputSchema: { type: 'object', properties: { op: { type: 'string' } }, required: ['op'], additionalProperties: true },
} as const;

/** How long the sessionless binding's answers may be kept, in milliseconds. */
const ttlMs = 3_600_000;
const cacheable = { resultType: 'complete', ttlMs, cacheScope: 'public' } as const;

export function rpcToolList(sessionless: boolean): Record<string, unknown> {
  return { ...(sessionless ? cacheable : {}), tools: [tool] };
}

export function sessionlessDiscovery(): Record<string, unknown> {
  return { ...cacheable, supportedVersions: [mcpRevision], capabilities: { tools: {} }, serverInfo };
}
