/**
 * taskmesh as a library: a node of the mesh in your own program, a worker for it, and MCP by peer id.
 *
 * @module
 */

export { type CreateMeshOptions, createMesh, type OwnMesh } from './src/create-mesh.ts';
export { type Answer, answerTool } from './src/mesh/answer.ts';
export { version } from './src/mesh/build.ts';
export { type ErrorCode, errorKinds, type Failure, MeshError } from './src/mesh/errors.ts';
export { defaultGrant, type Grant } from './src/mesh/grant.ts';
export { defaultLimits, type Limits } from './src/mesh/limits.ts';
export type { CallOptions, Mesh, MeshEvent, MeshListener, TaskProgress } from './src/mesh/mesh.ts';
export type { PythonOptions } from './src/mesh/node-options.ts';
export { type OperationInput, type OperationName, type OperationOutput, operations } from './src/mesh/operations.ts';
export type { ClaimedTask, Task, TaskStatus } from './src/mesh/task.ts';
export { carriageProtocol as mcpProtocol } from './src/p2p/carriage.ts';
export {
  libp2pTransport,
  type McpTransport,
  type TransportLimits,
  type TransportOptions,
} from './src/p2p/mcp/transport.ts';
export {
  TaskFailure,
  type TaskRunner,
  type WorkContext,
  type WorkEvent,
  type Worker,
  type WorkOptions,
  work,
} from './src/work/work.ts';
