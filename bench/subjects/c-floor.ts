/** Subject for the floors in C: runs the compiled `bench/floors/ping-pong.c` once a round. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pinned } from '../runner/pinning.ts';
import { serveCells } from '../serve-cells.ts';

export type CFloorTask = 'futex' | 'pipe' | 'socket';

await serveCells<string, CFloorTask>(async (executable) => ({
  async measure(task, { ms }) {
    const [command = '', ...args] = pinned('subject', [executable, task, String(Math.round(ms))]);
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26 });
    const latency = stdout
      .trim()
      .split('\n')
      .map((line) => Number(line) / 1000);
    const totalUs = latency.reduce((sum, us) => sum + us, 0);
    return { figures: { latency, rate: latency.length / (totalUs / 1e6) } };
  },
}));
