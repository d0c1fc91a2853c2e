/**
 * The tools that a node offers to be called: loaded once at start from a module of the operator's, called by `call_tool` and, under
 * their names, by MCP clients that reach the node by peer id.
 */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { jsonBytes } from '../mesh/check-input.ts';
import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { TaskProgress } from '../mesh/mesh.ts';
import { operationOfTool } from '../mesh/operations.ts';
import { toolProgress } from '../mesh/progress.ts';
import type { OfferedTool } from './mcp/node-server.ts';
import { withDeadline } from './with-deadline.ts';

/** A tool as its module defines it. */
export interface NodeTool {
  /** For people and models that choose a tool. */
  description: string;
  /** JSON Schema of the arguments: an object. They are checked against it. Without it, any object is taken. */
  inputSchema?: Record<string, unknown> | undefined;
  /**
   * Does the work; answers plain JSON data. `signal` fires when the caller gave up or the time is over. `progress` tells the
   * caller how far the work is: `done` only grows.
   */
  run(args: Record<string, unknown>, options: ToolRunOptions): unknown;
}

export interface ToolRunOptions {
  signal: AbortSignal;
  progress(done: number, of?: number, message?: string): void;
}

export interface ToolCall {
  args: Record<string, unknown>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: TaskProgress) => void) | undefined;
}

const toolRecord = z.record(
  z.string().min(1).max(200),
  z.object({
    description: z.string(),
    inputSchema: z.looseObject({ type: z.literal('object') }).optional(),
    run: z.custom<NodeTool['run']>((value) => typeof value === 'function', 'run must be a function'),
  }),
);

export class ToolRegistry {
  readonly names: readonly string[];
  /** The tools as MCP lists them. */
  readonly offered: ReadonlyMap<string, OfferedTool>;
  readonly #tools: ReadonlyMap<string, NodeTool>;
  readonly #inputs: ReadonlyMap<string, z.ZodType>;
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, 'maxResultBytes'>;

  constructor(tools: Record<string, NodeTool>, clock: Clock, limits: Pick<Limits, 'maxResultBytes'>) {
    this.#tools = new Map(Object.entries(tools));
    this.names = [...this.#tools.keys()];
    this.offered = new Map(this.names.map((name) => [name, offeredTool(name, tools[name])]));
    this.#inputs = new Map([...this.offered].map(([name, { inputSchema }]) => [name, z.fromJSONSchema(inputSchema)]));
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Throws `tools_disabled`, `unknown_tool`, `invalid_params`, `tool_error`, `timeout`, `cancelled` or `payload_too_large`. */
  async call(name: string, { args, timeoutMs, signal, onProgress }: ToolCall): Promise<unknown> {
    const tool = this.#tools.get(name) ?? this.#refuse(name);
    this.#checkArgs(name, args);
    const progress: ToolRunOptions['progress'] = (done, of, message) =>
      onProgress?.(toolProgress({ done, of, message }));
    const result = await withDeadline(
      { clock: this.#clock, deadlineMs: timeoutMs, signal },
      async (stop) => {
        try {
          return await tool.run(args, { signal: stop, progress });
        } catch (cause) {
          throw toolError(name, cause instanceof Error ? cause.message : String(cause), cause);
        }
      },
      () =>
        new MeshError(
          'timeout',
          `The tool ${name} did not end within ${timeoutMs} ms. Give it more time with timeout_s.`,
        ),
    );
    return this.#checked(name, result);
  }

  #refuse(name: string): never {
    if (this.names.length === 0) {
      throw new MeshError(
        'tools_disabled',
        'This node offers no tools. Its operator can name a module of tools with --tools.',
      );
    }
    throw unknownTool(name, this.names);
  }

  #checkArgs(name: string, args: Record<string, unknown>): void {
    const parsed = this.#inputs.get(name)?.safeParse(args);
    if (parsed?.error === undefined) return;
    const what = z.prettifyError(parsed.error).slice(0, 1000);
    throw new MeshError('invalid_params', `The arguments of the tool ${name} do not fit its schema: ${what}`);
  }

  #checked(name: string, result: unknown): unknown {
    let bytes: number;
    try {
      bytes = jsonBytes(result);
    } catch (cause) {
      throw toolError(name, 'its result is not plain JSON data', cause);
    }
    if (bytes <= this.#limits.maxResultBytes) return result ?? null;
    throw new MeshError(
      'payload_too_large',
      `The result of the tool ${name} is ${bytes} bytes of JSON; at most ${this.#limits.maxResultBytes} are allowed.`,
    );
  }
}

/** `names`: those that the caller may know of. */
export function unknownTool(name: string, names: readonly string[]): MeshError {
  return new MeshError('unknown_tool', `This node has no tool "${name}". It has: ${names.join(', ').slice(0, 1000)}.`, {
    details: { tools: names.slice(0, 100) },
  });
}

function offeredTool(name: string, tool: NodeTool | undefined): OfferedTool {
  if (operationOfTool(name) !== undefined)
    throw new Error(`${name} is the name of an operation of every node; give the tool another name`);
  return { name, description: tool?.description ?? '', inputSchema: tool?.inputSchema ?? { type: 'object' } };
}

/** Loads the module. Throws `invalid_config` that says what is wrong with it. */
export async function loadTools(
  modulePath: string | undefined,
  clock: Clock,
  limits: Pick<Limits, 'maxResultBytes'>,
): Promise<ToolRegistry> {
  if (modulePath === undefined) return new ToolRegistry({}, clock, limits);
  try {
    const loaded = (await import(pathToFileURL(resolve(modulePath)).href)) as { default?: unknown };
    return new ToolRegistry(toolRecord.parse(loaded.default), clock, limits);
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new MeshError(
      'invalid_config',
      `The module of tools ${modulePath} cannot be used: ${why}. Its default export must be a record of {description, inputSchema?, run(args, {signal, progress})}.`,
      { cause },
    );
  }
}

function toolError(name: string, why: string, cause: unknown): MeshError {
  return new MeshError('tool_error', `The tool ${name} failed: ${why.slice(0, 2000)}`, { cause });
}
