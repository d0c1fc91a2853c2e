/** The operations on a node's cache: small JSON values that workers and callers share, with a time to live. */

import { z } from 'zod';
import { operation, seconds, target } from '../operation.ts';

const key = z.string().min(1).max(512).describe('Any text; use a prefix of your own.');

export const cacheGet = operation({
  tool: 'p2p_taskqueue_cache_get',
  title: 'Read from the cache',
  summary: 'Read a value from a node’s cache.',
  description:
    'Answers the value stored under the key on this node (or the peer you name); hit is false and value null when there is none.',
  input: z.strictObject({ key, ...target }),
  output: z.object({ key: z.string(), hit: z.boolean(), value: z.unknown() }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'cache:read',
  remote: true,
});

export const cacheSet = operation({
  tool: 'p2p_taskqueue_cache_set',
  title: 'Write to the cache',
  summary: 'Store a value in a node’s cache.',
  description:
    'Stores any JSON up to 1 MiB under the key on this node (or the peer you name). When the cache is full, the values that expire first and then those unused for longest make room.',
  input: z.strictObject({
    key,
    value: z.unknown(),
    ttl_s: seconds(31_536_000).default(0).describe('Time to live; 0: until room is needed.'),
    ...target,
  }),
  output: z.object({ key: z.string() }),
  hints: { readOnly: false, idempotent: true, destructive: true },
  scope: 'cache:write',
  remote: true,
});

export const cacheHas = operation({
  tool: 'p2p_taskqueue_cache_has',
  title: 'Ask the cache for a key',
  summary: 'Tell whether a node’s cache has a key.',
  description: 'Tells whether a value is stored under the key, without sending it.',
  input: z.strictObject({ key, ...target }),
  output: z.object({ key: z.string(), hit: z.boolean() }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'cache:read',
  remote: true,
});

export const cacheDelete = operation({
  tool: 'p2p_taskqueue_cache_delete',
  title: 'Delete from the cache',
  summary: 'Remove a value from a node’s cache.',
  description: 'Removes the value under the key; deleted is false when there was none.',
  input: z.strictObject({ key, ...target }),
  output: z.object({ key: z.string(), deleted: z.boolean() }),
  hints: { readOnly: false, idempotent: true, destructive: true },
  scope: 'cache:write',
  remote: true,
});
