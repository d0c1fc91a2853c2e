/** comlink's far side. Started by `bench/subjects/hop-peers.ts`. */

import { workerData } from 'node:worker_threads';
import * as comlink from 'comlink';

const { port } = workerData as { port: unknown };
comlink.expose({ echo: (input: unknown) => input }, port as comlink.Endpoint);
