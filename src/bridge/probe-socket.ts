/** Finds out whether anybody listens on a Unix socket, by connecting to it. */

import { rmSync } from 'node:fs';
import { connect } from 'node:net';

/** A socket whose process is gone refuses; one that cannot be asked for another reason counts as listened on. */
export function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

/** Removes the socket that a killed process left behind, if it did. */
export async function removeIfDead(path: string): Promise<void> {
  if (!(await isListenedOn(path))) rmSync(path, { force: true });
}
