/**
 * Tells systemd that the program is ready, that its loop still turns (for `WatchdogSec=`), and that it stops: what a unit of
 * `Type=notify` waits for. Used by the programs that units in `deploy/systemd` start. Without `NOTIFY_SOCKET` in the environment nothing happens.
 *
 * The notice is a datagram to a Unix socket. Node has no such sockets, and Deno has them only behind a flag, so
 * `systemd-notify`, which comes with systemd, sends it. It is our child: the unit needs `NotifyAccess=all`, and on Deno also
 * `--allow-env=NOTIFY_SOCKET,WATCHDOG_USEC` and `--allow-run=systemd-notify`.
 */

import { spawn } from 'node:child_process';
import { getLogger } from '@logtape/logtape';
import { type CancelTimer, type Clock, systemClock } from '../src/mesh/clock.ts';

const log = getLogger(['taskmesh', 'service']);

/** systemd-notify waits until systemd has read the notice; longer than this, nobody reads, in milliseconds. */
const deadlineMs = 5_000;

/** Of the time after which systemd takes the program for hung, signs of life come after one in so many. */
const signsOfLife = 3;

export interface Notices {
  /** It listens. Call it once everything is reachable. From then on signs of life are sent, where systemd wants them. Never rejects. */
  ready(): Promise<void>;
  /** It has begun to stop. Never rejects. */
  stopping(): Promise<void>;
}

/** Runs a program to its end; rejects when it cannot be started or fails. */
export type Run = (program: string, args: readonly string[], env: Record<string, string>) => Promise<void>;

/**
 * Takes `NOTIFY_SOCKET` and `WATCHDOG_USEC` out of the environment, so that no child of ours speaks for us: a P2P service that the server
 * starts would say "ready" too early. Call it before any child is started.
 */
export function takeNotices(
  env: Record<string, string | undefined>,
  run: Run = runToEnd,
  clock: Clock = systemClock,
): Notices {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: patienceUs, PATH: path } = env;
  if (socket === undefined || socket === '') return { ready: async () => {}, stopping: async () => {} };
  delete env.NOTIFY_SOCKET;
  delete env.WATCHDOG_USEC;
  const send = async (...variables: readonly string[]): Promise<void> => {
    try {
      await run('systemd-notify', variables, {
        NOTIFY_SOCKET: socket,
        ...(path === undefined ? {} : { PATH: path }),
      });
    } catch (error) {
      log.error('systemd was not told {variables}, and may wait for it: {error}. Is systemd-notify installed?', {
        variables,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const betweenMs = Number(patienceUs) / 1000 / signsOfLife;
  let cancelTimer: CancelTimer = () => {};
  const live = (): void => {
    cancelTimer = clock.setTimer(betweenMs, () => {
      void send('WATCHDOG=1');
      live();
    });
  };
  return {
    async ready() {
      await send('READY=1', 'STATUS=Serving');
      if (betweenMs > 0) live();
    },
    async stopping() {
      cancelTimer();
      await send('STOPPING=1', 'STATUS=Stopping');
    },
  };
}

const runToEnd: Run = (program, args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: 'ignore', timeout: deadlineMs });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${signal ?? `code ${code}`}`));
    });
  });
