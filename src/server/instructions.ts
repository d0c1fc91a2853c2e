/** What an MCP client tells its model about this server. */

export const instructions = [
  'taskmesh hands work between machines. Each node of the mesh has a queue; a worker on any node takes tasks of the types it can do.',
  'To have work done: p2p_taskqueue_submit with a task_type and a payload, then p2p_taskqueue_wait_task with the task_id it answered; when done is false, wait again. Do not poll.',
  'p2p_taskqueue_status and list_peers show what there is: capabilities.task_types are the types that somebody waits for right now.',
  'To do work yourself: p2p_taskqueue_claim_next, p2p_taskqueue_heartbeat before lease_s is over, then p2p_taskqueue_complete_task or p2p_taskqueue_fail_task, each with the fence of the claim.',
  'Every answer has ok. When ok is false, error is a stable code, message says what to do, and retryable says whether the same call may succeed later.',
].join('\n');
