/** Locks a data folder and says so, as a thread of its own or as a process of its own. Used by data-folder.test.ts. */

import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { MeshError } from '../../src/mesh/errors.ts';
import { lockDataFolder } from '../../src/queue/lock.ts';

function tryLock(folder: string): string {
  try {
    lockDataFolder(folder);
    return 'locked';
  } catch (thrown) {
    return thrown instanceof MeshError ? thrown.code : String(thrown);
  }
}

if (parentPort === null) {
  console.log(tryLock(process.argv[2] ?? ''));
  // Holds it until it is killed.
  process.stdin.resume();
} else {
  parentPort.postMessage(tryLock(workerData as string));
  parentPort.once('message', () => process.exit());
}
