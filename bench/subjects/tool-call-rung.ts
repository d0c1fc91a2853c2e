/** The rungs of the suite `tool-call` by name, in order, and the parts that their differences are. */

export type Rung = 'http' | 'hono' | 'mcp' | 'checked' | 'hop' | 'wire_plain' | 'wire' | 'memory' | 'disk' | 'service';

/** The processes that the rungs are in: one for all that have no node behind them, and one for each node. */
export const storeys = ['nodeless', 'memory', 'disk'] as const;

export type Storey = (typeof storeys)[number];

export type LadderOperation = 'submit_local' | 'submit_remote';

/** Type of the tasks that the peer works on; tasks of other types stay where they are. */
export const workedType = 'bench.worked';

/** From the bottom up; the service as users start it stands on top. */
const common = ['http', 'hono', 'mcp', 'checked', 'hop'] as const;
const ladders: Readonly<Record<LadderOperation, readonly Rung[]>> = {
  submit_local: [...common, 'memory', 'disk', 'service'],
  submit_remote: [...common, 'wire_plain', 'wire', 'memory', 'disk', 'service'],
};

/** What each rung adds to the one before it. */
export const partOf = {
  http: 'part_http',
  hono: 'part_hono',
  mcp: 'part_mcp',
  checked: 'part_validation',
  hop: 'part_hop',
  wire_plain: 'part_wire',
  wire: 'part_noise',
  memory: 'part_queue',
  disk: 'part_fsync',
  service: 'not_explained',
} as const satisfies Readonly<Record<Rung, string>>;

/** The ladder of the rungs that are there. */
export function ladderOf(operation: LadderOperation, isThere: (rung: Rung) => boolean): Rung[] {
  return ladders[operation].filter(isThere);
}

/**
 * The parts that rungs' times make, in order. Without the rung in memory, what the queue costs and what the disk does are one part.
 * The last part is what the service takes beyond the highest rung, or below it: negative, then.
 */
export function partsOf(ladder: readonly Rung[], timeOf: (rung: Rung) => number): Record<string, number> {
  const parts: Record<string, number> = {};
  let before = 0;
  for (const rung of ladder) {
    const part = rung === 'disk' && !ladder.includes('memory') ? 'part_queue' : partOf[rung];
    parts[part] = timeOf(rung) - before;
    before = timeOf(rung);
  }
  return parts;
}
