/** The floor of a thread: posts back what it gets, with nothing around it. Started by `bench/subjects/hop-floors.ts`. */

import { type MessagePort, workerData } from 'node:worker_threads';

const { port } = workerData as { port: MessagePort };
const receiver = port as unknown as { onmessage: (event: { data: unknown }) => void };
receiver.onmessage = ({ data }) => port.postMessage(data);
