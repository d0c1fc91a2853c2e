/**
 * The structured answer that every tool gives, over HTTP and between peers: `{ok: true, …}` or `{ok: false, error, …}`.
 */

import { z } from 'zod';
import { type Failure, MeshError, toMeshError } from './errors.ts';
import type { CallOptions, Mesh } from './mesh.ts';
import { type OperationName, operationEntry, operationOfTool } from './operations.ts';

export type Answer = ({ ok: true } & Record<string, unknown>) | Failure;

/** Calls an operation by the name of its tool. Never rejects: what fails is an answer too. */
export async function answerTool(mesh: Mesh, tool: string, input: unknown, options?: CallOptions): Promise<Answer> {
  try {
    const name = operationOfTool(tool);
    if (name === undefined)
      throw new MeshError('unknown_operation', `There is no tool "${tool}". List the tools to see the names.`);
    return { ok: true, ...((await mesh.call(name, input as never, options)) as Record<string, unknown>) };
  } catch (thrown) {
    return toMeshError(thrown).toFailure();
  }
}

/** The output, or the error, that an answer stands for. */
export function outputOf(answer: Answer): Record<string, unknown> {
  if (!answer.ok) throw MeshError.fromFailure(answer);
  const { ok, ...output } = answer;
  return output;
}

export const failure = z.object({
  ok: z.literal(false),
  error: z.string().describe('Stable code, such as task_not_found.'),
  message: z.string().describe('What happened, why, and what to do next.'),
  retryable: z.boolean().describe('Whether the same call may succeed later.'),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** A JSON Schema (draft 2020-12) object. */
export type JsonSchema = { type: 'object' } & Record<string, unknown>;

/** JSON Schema of a tool's input, as a caller writes it: fields with defaults are optional. */
export function inputJsonSchema(name: OperationName): JsonSchema {
  return z.toJSONSchema(operationEntry(name).input, { io: 'input' }) as JsonSchema;
}

/** JSON Schema of a tool's whole answer: success or failure, told apart by `ok`. A newer node may answer further fields. */
export function answerJsonSchema(name: OperationName): JsonSchema {
  const success = operationEntry(name).output.extend({ ok: z.literal(true) });
  const { $schema, ...either } = z.toJSONSchema(z.union([success, failure]), {
    override({ jsonSchema }) {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  }) as Record<string, unknown>;
  return { $schema, type: 'object', ...either };
}
