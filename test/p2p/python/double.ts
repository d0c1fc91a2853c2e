/**
 * A scripted Python node: it answers frames as Python's does, byte for byte, from a queue of its own with Python's rules. Every
 * frame that it was sent is kept as text.
 */

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Stream } from '@libp2p/interface';
import { asciiJson, float } from '../../../src/p2p/python/json.ts';
import { MerkleClock } from '../../../src/p2p/python/merkle-clock.ts';
import { frameOf, legacyProtocol, sessionProtocol } from '../../../src/p2p/python/messages.ts';
import { FrameReader } from '../../../src/rpc/frames.ts';
import { type RawHost, rawHost } from '../support.ts';
import { selectOwner, taskHash } from './owner-selection.ts';
import type { Row } from './support.ts';

type Fields = Record<string, unknown>;

export interface Double extends AsyncDisposable {
  readonly host: RawHost;
  readonly peerId: string;
  /** Without a peer id, as an operator would write it: it changes with each start. */
  readonly address: string;
  readonly tasks: Map<string, Row>;
  /** Frames and lines that came, as texts. */
  readonly heard: string[];
  /** Streams that were opened. */
  readonly streams: Stream[];
  /** The stream that the last frame came on. */
  asking: Stream | undefined;
  /** Workers that were seen; tasks are meant for the nearest one of them. */
  readonly seen: Set<string>;
  /** Answers an operation instead of the queue; undefined: no answer at all. */
  script: Map<string, (request: Fields) => unknown>;
  /** Writes an announce file as Python does. */
  announce(file: string): Promise<void>;
}

export async function startDouble({ token = '', legacyOnly = false, port = 0 } = {}): Promise<Double> {
  const host = await rawHost([`/ip4/127.0.0.1/tcp/${port}`]);
  const peerId = host.peerId.toString();
  const address = (host.getMultiaddrs()[0]?.toString() ?? '').replace(/\/p2p\/.*$/, '');
  const clock = new MerkleClock('taskqueue-service');
  const double: Double = {
    host,
    peerId,
    address,
    tasks: new Map(),
    heard: [],
    streams: [],
    asking: undefined,
    seen: new Set(),
    script: new Map(),
    announce: (file) => writeFile(file, JSON.stringify({ peer_id: peerId, multiaddr: `${address}/p2p/${peerId}` })),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };

  const reply = (request: Fields): unknown => {
    const op = String(request.op);
    const answer = token !== '' && request.token !== token ? { ok: false, error: 'unauthorized' } : undefined;
    const script = double.script.get(op);
    if (script !== undefined) return script(request);
    return { ...(answer ?? { ok: true, ...queue(op, request) }), peer_id: peerId };
  };

  const queue = (op: string, request: Fields): Fields => {
    const row = double.tasks.get(String(request.task_id));
    const set = (fields: Fields): boolean => row !== undefined && Object.assign(row, fields) === row;
    switch (op) {
      case 'submit': {
        const payload = request.payload as Fields;
        const task_id = randomBytes(16).toString('hex');
        const made: Row = {
          ...{ task_id, task_type: request.task_type, model_name: request.model_name, payload, status: 'queued' },
          ...{ assigned_worker: null, created_at: float(1_700_000_000), updated_at: float(1_700_000_000) },
          ...{ result: null, error: null, priority: payload?.priority ?? 5, attempt: 0, max_attempts: 3 },
          ...{ next_attempt_at: null, lease_until: null, heartbeat_at: null, idempotency_key: null },
        };
        double.tasks.set(task_id, made);
        return { task_id };
      }
      case 'claim': {
        double.seen.add(String(request.peer_id));
        const mine = ({ task_id, task_type, model_name }: Row): boolean => {
          const hash = taskHash({ taskId: task_id, taskType: String(task_type), modelName: String(model_name) });
          return selectOwner(clock.read().merkle_root, hash, [...double.seen]) === request.peer_id;
        };
        const next = [...double.tasks.values()].find((task) => task.status === 'queued');
        if (next === undefined || !mine(next)) return { task: null };
        Object.assign(next, { status: 'running', assigned_worker: request.worker_id, attempt: next.attempt + 1 });
        const { task_id, task_type, model_name, payload, created_at, status, assigned_worker } = next;
        return { task: { task_id, task_type, model_name, payload, created_at, status, assigned_worker } };
      }
      // Whoever asks, and whatever state the task is in: that is what Python does.
      case 'complete':
        return {
          ok: set({ status: request.status, result: request.result, error: request.error ?? null }),
          task_id: request.task_id,
        };
      case 'release':
        return { ok: set({ status: 'queued', assigned_worker: null }), task_id: request.task_id };
      case 'cancel':
        return { cancelled: row?.status === 'queued' && set({ status: 'cancelled' }) };
      case 'get':
      case 'wait':
        return { task: row ?? null };
      case 'list':
        return { tasks: [...double.tasks.values()].slice(0, Number(request.limit)) };
      case 'status':
        return { capabilities: { task_types: ['text-generation'] }, nat: {}, session: '', queue: { queued: 3 } };
      case 'call_tool':
        return { tool: request.tool, result: { args: request.args } };
      case 'cache.get':
        return { key: request.key, hit: true, value: [1, 'é'] };
      case 'cache.has':
        return { key: request.key, hit: false };
      case 'cache.set':
        return { key: request.key };
      case 'cache.delete':
        return { key: request.key, deleted: true };
      default:
        return { ok: false, error: 'unknown_op' };
    }
  };

  const serve = (stream: Stream): void => {
    double.streams.push(stream);
    const reader = new FrameReader(1024 * 1024);
    const answer = (message: unknown): void => void stream.send(frameOf(message, 16 * 1024 * 1024) ?? new Uint8Array());
    let frames = 0;
    const take = (body: Uint8Array): void => {
      const text = Buffer.from(body).toString();
      double.heard.push(text);
      double.asking = stream;
      const { id, method, params } = JSON.parse(text);
      if (++frames > 128) {
        answer({ jsonrpc: '2.0', id, error: { code: -32010, message: 'rate_limited' } });
        stream.close().catch(() => {});
      } else if (method === 'initialize') {
        answer({ jsonrpc: '2.0', id, result: { protocolVersion: '2024-11-05', server: { peer_id: peerId } } });
      } else {
        const content = reply(params.arguments);
        if (content instanceof Uint8Array) stream.send(content);
        else if (content !== undefined) answer({ jsonrpc: '2.0', id, result: { content } });
      }
    };
    stream.addEventListener('message', ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data) reader.split(piece, take);
    });
  };

  const serveLine = (stream: Stream): void => {
    double.streams.push(stream);
    stream.addEventListener('message', ({ data }) => {
      const text = Buffer.from(data.subarray()).toString();
      double.heard.push(text);
      stream.send(Buffer.from(`${asciiJson(reply(JSON.parse(text)))}\n`));
      stream.close().catch(() => {});
    });
  };

  if (!legacyOnly) await host.handle(sessionProtocol, serve, { maxInboundStreams: 64 });
  await host.handle(legacyProtocol, serveLine, { maxInboundStreams: 64 });
  return double;
}
