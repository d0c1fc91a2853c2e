/** The floor: a thread that posts back what it gets, with nothing around it. Started by `hop-measure.ts`. */

import { type MessagePort, workerData } from 'node:worker_threads';

const { port } = workerData as { port: MessagePort };
const receiver = port as unknown as { onmessage: (event: { data: unknown }) => void };
receiver.onmessage = ({ data }) => port.postMessage(data);
