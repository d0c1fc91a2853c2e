/** The service's own word on how late its event loop is, from `/metrics`: ten samples a second, from the first reading on. */

interface LoopDelay {
  count: number;
  sumSeconds: number;
}

const name = 'taskmesh_event_loop_delay_seconds';

/** Undefined while the service has no samples. */
export async function readLoopDelay(mcpUrl: string): Promise<LoopDelay | undefined> {
  const response = await fetch(new URL('/metrics', mcpUrl));
  const text = await response.text();
  const figure = (suffix: string): number =>
    Number(new RegExp(`^${name}_${suffix}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  const read = { count: figure('count'), sumSeconds: figure('sum') };
  return Number.isFinite(read.count) && Number.isFinite(read.sumSeconds) ? read : undefined;
}

/** Of the samples between two readings; undefined when there are none. */
export function meanDelayMs(before: LoopDelay | undefined, after: LoopDelay | undefined): number | undefined {
  if (before === undefined || after === undefined || after.count <= before.count) return undefined;
  return ((after.sumSeconds - before.sumSeconds) * 1000) / (after.count - before.count);
}
