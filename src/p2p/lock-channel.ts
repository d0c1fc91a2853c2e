/**
 * Lets a process end on Deno although libp2p was used in it. Called by `buildHost` only.
 *
 * libp2p's peer store takes its locks from `mortice`, which opens one BroadcastChannel per thread for locks that several threads
 * share; libp2p asks for none of these. The channel is never closed and, on Deno, has no `unref`: it would keep the process
 * alive for ever. There is no setting for it, so its constructor is watched while the first lock is made.
 */

const lockChannelPrefix = 'mortice';

/** Runs `firstLock` and closes the channel that is opened meanwhile. Everything else that opens one is left alone. */
export async function withoutLockChannel(firstLock: () => Promise<unknown>): Promise<void> {
  const Original = globalThis.BroadcastChannel;
  const opened: BroadcastChannel[] = [];
  class Watched extends Original {
    constructor(name: string) {
      super(name);
      if (String(name).startsWith(lockChannelPrefix)) opened.push(this);
    }
  }
  globalThis.BroadcastChannel = Watched;
  try {
    await firstLock();
  } finally {
    if (globalThis.BroadcastChannel === Watched) globalThis.BroadcastChannel = Original;
    for (const channel of opened) channel.close();
  }
}
