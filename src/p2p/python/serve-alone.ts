/** What stands for itself on the Python listener: a peer's heartbeat, tools, and the cache. */

import { MeshError } from '../../mesh/errors.ts';
import { numberOf, type Request, recordOf, textOf } from './fields.ts';
import { type OperationParts, PythonRefusal, type ServeOperation } from './operation-parts.ts';

export function serveAlone(parts: OperationParts): Record<string, ServeOperation> {
  const { everybody, scheduler } = parts;
  const mesh = parts.meshFor(everybody);
  return {
    /** Says that a worker is there. It renews no lease. */
    async 'peer.heartbeat'(request) {
      const peer = textOf(request, 'peer', 'peer_id');
      scheduler.saw(peer, recordOf(request, 'clock'));
      return { peer, scheduler: scheduler.view() };
    },

    async call_tool(request, { signal }) {
      const tool_name = textOf(request, 'tool', 'tool_name', 'name');
      if (tool_name === '') throw new PythonRefusal('missing_tool_name', 'Name the tool in the field tool.');
      const args = recordOf(request, 'args', 'arguments', 'params') ?? {};
      const timeout_s = numberOf(request, ['timeout_s'], { otherwise: 30, least: 0.001, most: 600 });
      return closed('tools_disabled', 'tools', () =>
        mesh.call('call_tool', { tool_name, args, timeout_s }, { signal }),
      );
    },

    'cache.get': (request) => ofCache(() => mesh.call('cache_get', { key: keyOf(request) })),
    'cache.has': (request) => ofCache(() => mesh.call('cache_has', { key: keyOf(request) })),
    'cache.set': (request) => {
      const ttl_s = numberOf(request, ['ttl_s'], { otherwise: 0, least: 0, most: 31_536_000 });
      return ofCache(() => mesh.call('cache_set', { key: keyOf(request), value: request.value ?? null, ttl_s }));
    },
    'cache.delete': (request) => ofCache(() => mesh.call('cache_delete', { key: keyOf(request) })),
  };
}

function keyOf(request: Request): string {
  const { key } = request;
  if (typeof key !== 'string' || key === '') throw new PythonRefusal('missing_key', 'Name the key in the field key.');
  return key;
}

function ofCache<Answer extends Record<string, unknown>>(ask: () => Promise<Answer>): Promise<Answer> {
  return closed('cache_disabled', 'the cache', ask);
}

/** The wire's word for what the grant leaves closed. */
async function closed<Answer>(word: string, what: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (thrown) {
    if (!(thrown instanceof MeshError) || thrown.code !== 'unauthorized') throw thrown;
    const how = 'The node’s operator can allow it with --python-grant.';
    throw new PythonRefusal(word, `Whoever holds the token may not use ${what} in this way. ${how}`);
  }
}
