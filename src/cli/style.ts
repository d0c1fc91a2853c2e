/** Colours where a terminal shows them; nothing is said by colour alone. */

import { stripVTControlCharacters } from 'node:util';
import type { TaskStatus } from '../mesh/task.ts';
import type { Output } from './cli-context.ts';

export interface Style {
  /** A task's status. */
  status(status: TaskStatus): string;
  strong(text: string): string;
  faint(text: string): string;
  error(text: string): string;
}

const codes = { strong: 1, faint: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

const ofStatus: Readonly<Record<TaskStatus, keyof typeof codes>> = {
  queued: 'cyan',
  running: 'yellow',
  completed: 'green',
  failed: 'red',
  cancelled: 'faint',
};

/** No colour unless the stream is a terminal, and none where NO_COLOR is set (https://no-color.org). */
export function styleOf(output: Output, env: Readonly<Record<string, string | undefined>>): Style {
  const colours = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint = (code: keyof typeof codes, text: string): string =>
    colours ? `\u001b[${codes[code]}m${text}\u001b[0m` : text;
  return {
    status: (status) => paint(ofStatus[status] ?? 'strong', status),
    strong: (text) => paint('strong', text),
    faint: (text) => paint('faint', text),
    error: (text) => paint('red', text),
  };
}

/** Makes text from elsewhere safe to show: without what would steer the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal.
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
