/**
 * The subject's side: a file in `bench/subjects` calls `serveCells` with how to open what it measures and how to measure one
 * round. Runs on Node and Deno. The runner talks to it in JSON lines: tasks on stdin, figures on stdout; stdin's end ends it.
 */

import process from 'node:process';
import { createInterface } from 'node:readline';
import type { EncodedSamples, Json } from './report-schema.ts';
import { Samples } from './samples.ts';

export interface Round {
  /** How long to measure, in milliseconds. */
  ms: number;
  /** The figures of a warm-up are thrown away. */
  warmUp: boolean;
}

export interface RoundResult {
  /** Per metric of the suite: samples, or one number for the round. A metric may be absent. */
  figures: Readonly<Record<string, number | Samples | Iterable<number>>>;
  /** What else is worth knowing, such as the rate that was reached. The last round's notes are kept. */
  notes?: Readonly<Record<string, Json>>;
}

export interface Bench<Task> {
  measure(task: Task, round: Round): Promise<RoundResult>;
  close?(): Promise<unknown>;
}

/** What the runner sends. */
export interface SubjectRequest {
  id: number;
  task: Json;
  ms: number;
  warmUp: boolean;
}

/** What a subject answers. Lines without `bench` are something else that it printed. */
export type SubjectMessage =
  | { bench: 'ready' }
  | {
      bench: 'round';
      id: number;
      figures: Record<string, number | EncodedSamples>;
      notes?: Readonly<Record<string, Json>>;
    }
  | { bench: 'failed'; id?: number; message: string };

const say = (message: SubjectMessage): Promise<void> =>
  new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()));

const textOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);

function encode(figures: RoundResult['figures']): Record<string, number | EncodedSamples> {
  const encoded = Object.entries(figures).map(([name, figure]): [string, number | EncodedSamples] => {
    if (typeof figure === 'number') return [name, figure];
    return [name, (figure instanceof Samples ? figure : Samples.of(figure)).encode()];
  });
  return Object.fromEntries(encoded);
}

/** Opens what is measured, serves rounds until stdin ends, closes it, and ends the process. */
export async function serveCells<Params, Task>(open: (params: Params) => Promise<Bench<Task>>): Promise<void> {
  try {
    const bench = await open(JSON.parse(process.argv[2] ?? 'null') as Params);
    await say({ bench: 'ready' });
    for await (const line of createInterface({ input: process.stdin })) {
      const { id, task, ms, warmUp } = JSON.parse(line) as SubjectRequest;
      try {
        const { figures, notes } = await bench.measure(task as Task, { ms, warmUp });
        await say({ bench: 'round', id, figures: encode(figures), ...(notes === undefined ? {} : { notes }) });
      } catch (thrown) {
        await say({ bench: 'failed', id, message: textOf(thrown) });
      }
    }
    await bench.close?.();
    process.exit(0);
  } catch (thrown) {
    await say({ bench: 'failed', message: textOf(thrown) });
    process.exit(1);
  }
}
