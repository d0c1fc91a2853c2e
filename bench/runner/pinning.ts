/**
 * Keeps drivers and what they measure on processors of their own, by `taskset`, where there are enough of them. With fewer than
 * four the subjects need them all, and nothing is pinned: the runner itself sleeps while a subject measures.
 */

import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

export type Role = 'subject' | 'driver';

const leastCores = 4;

export const hasTaskset = ((): boolean => {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const cores = availableParallelism();
const isOn = hasTaskset && cores >= leastCores;
/** The first half of the processors drives, the second half is measured. */
const firstOfSubjects = Math.floor(cores / 2);
const ranges: Readonly<Record<Role, string>> = {
  driver: `0-${firstOfSubjects - 1}`,
  subject: `${firstOfSubjects}-${cores - 1}`,
};

/** The command as it is to be run, for a driver or for what is measured. */
export const pinned = (role: Role, command: readonly string[]): string[] =>
  isOn ? ['taskset', '--cpu-list', ranges[role], ...command] : [...command];

/** Moves a process that runs already: a subject that drives what it has started for itself. What it starts inherits its place. */
export function pin(role: Role, pid: number): void {
  if (isOn)
    execFileSync('taskset', ['--all-tasks', '--pid', '--cpu-list', ranges[role], String(pid)], { stdio: 'ignore' });
}

/** Moves a process that runs already, and what it starts from now on, to a single processor. Throws without `taskset`. */
export function pinToOne(pid: number): void {
  execFileSync('taskset', ['--all-tasks', '--pid', '--cpu-list', String(cores - 1), String(pid)], { stdio: 'ignore' });
}

/** For the report. */
export const pinningInWords = isOn
  ? `subjects on processors ${ranges.subject}, drivers on ${ranges.driver}, by taskset`
  : hasTaskset
    ? `none: ${cores} processors are too few to give drivers their own`
    : 'none: taskset is not installed';
