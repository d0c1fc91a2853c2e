/** One line that says how far a task is: repainted on a terminal, a line per change elsewhere. */

import type { TaskProgress } from '../mesh/mesh.ts';
import type { Output } from './cli-context.ts';
import { printable } from './style.ts';

interface ProgressLine {
  show(progress: TaskProgress): void;
  /** Something else that one waits for. */
  say(text: string): void;
  /** Leaves the terminal's line empty again. */
  close(): void;
}

const clearLine = '\r\u001b[2K';

export function progressLine(output: Output): ProgressLine {
  let last = '';
  const say = (text: string): void => {
    if (text === last) return;
    last = text;
    if (output.isTTY !== true) output.write(`${text}\n`);
    else output.write(`${clearLine}${text.slice(0, (output.columns ?? 80) - 1)}`);
  };
  return {
    show: (progress) => say(textOf(progress)),
    say,
    close() {
      if (output.isTTY === true && last !== '') output.write(clearLine);
      last = '';
    },
  };
}

function textOf({ status, attempt, progress }: TaskProgress): string {
  const head = attempt > 1 ? `${status}, attempt ${attempt}` : status;
  if (progress === null || progress === undefined) return head;
  const note = typeof progress === 'string' ? progress : JSON.stringify(progress);
  return `${head}: ${printable(note).replaceAll('\n', ' ')}`;
}
