/** Says on stderr how far the run is and how long it will still take: one line that changes on a terminal, a line now and then elsewhere. */

export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface Stage {
  readonly name: string;
  readonly budgetMs: number;
}

/** Between two lines where the line cannot change, in milliseconds. */
const pauseMs = 10_000;

export class Progress {
  readonly #output: ProgressOutput;
  readonly #stages: readonly Stage[];
  readonly #now: () => number;
  #stage = 0;
  #stageFrom: number;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(output: ProgressOutput, stages: readonly Stage[], now: () => number = () => performance.now()) {
    this.#output = output;
    this.#stages = stages;
    this.#now = now;
    this.#stageFrom = now();
  }

  begin(stage: number): void {
    this.#stage = stage;
    this.#stageFrom = this.#now();
    this.#lastAt = Number.NEGATIVE_INFINITY;
    this.step('starting', 0);
  }

  /** `done`: the share of the stage that is behind us. */
  step(what: string, done: number): void {
    const now = this.#now();
    if (!this.#output.isTTY && now - this.#lastAt < pauseMs) return;
    this.#lastAt = now;
    const line = `${this.#stage + 1}/${this.#stages.length} ${this.#stages[this.#stage]?.name ?? ''} ${Math.floor(done * 100)} %, ${minutes(this.remainingMs(done))} left: ${what}`;
    if (this.#output.isTTY) this.#output.write(`\r\u001b[K${line.slice(0, (this.#output.columns || 80) - 1)}`);
    else this.#output.write(`${line}\n`);
  }

  /** What the stage still takes at its pace so far, and the budgets of those that have not begun. */
  remainingMs(done: number): number {
    const budgetMs = this.#stages[this.#stage]?.budgetMs ?? 0;
    const spentMs = this.#now() - this.#stageFrom;
    const ownMs = done < 0.1 ? budgetMs * (1 - done) : (spentMs / done) * (1 - done);
    const laterMs = this.#stages.slice(this.#stage + 1).reduce((sum, stage) => sum + stage.budgetMs, 0);
    return ownMs + laterMs;
  }

  end(): void {
    if (this.#output.isTTY) this.#output.write('\r\u001b[K');
  }
}

function minutes(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
