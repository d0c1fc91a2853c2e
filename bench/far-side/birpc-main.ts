/** birpc's far side. Started by `bench/subjects/hop-peers.ts`. */

import { parentPort } from 'node:worker_threads';
import { createBirpc } from 'birpc';

const port = parentPort;
if (port === null) throw new Error('This file runs in a thread.');
createBirpc(
  { echo: (input: unknown) => input },
  { post: (data) => port.postMessage(data), on: (listen) => void port.on('message', listen) },
);
