/** SIGINT and SIGTERM, the same on both runtimes: the first one asks to stop, the second one ends the process at once. */

import process from 'node:process';

const signals = ['SIGINT', 'SIGTERM'] as const;

/** Calls `stop` at the first signal, until the returned function is called. */
export function onStopSignal(stop: () => void): () => void {
  let heard = 0;
  const hear = (signal: NodeJS.Signals): void => {
    if (++heard === 1) stop();
    else process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  for (const signal of signals) process.on(signal, hear);
  return () => {
    for (const signal of signals) process.off(signal, hear);
  };
}
