/** How much memory is held after everything that can be thrown away was: on both runtimes, without a flag. */

import process from 'node:process';
import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

/** Bytes that are in use on the heap. */
export async function heldBytes(): Promise<number> {
  // What is freed in one round may be what keeps something else until the next one.
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/**
 * What 100,000 frames may leave behind, in bytes. A leak of one small object a frame would be three times as much; compiled
 * code and the like is less than half of it.
 */
const leftoverBytes = 12 * 1024 * 1024;

/** Runs it after a smaller warm-up and throws when the heap has grown. */
export async function withoutGrowth(warmUp: () => Promise<void>, run: () => Promise<void>): Promise<void> {
  await warmUp();
  const before = await heldBytes();
  await run();
  const grown = (await heldBytes()) - before;
  if (grown > leftoverBytes) throw new Error(`the heap has grown by ${grown} bytes`);
}
