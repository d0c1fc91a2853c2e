/** A report from its folder, for the commands that take one. */

import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { type Report, report } from '../report-schema.ts';

/** @param path a report's folder, or its `report.json`. Throws when it is none. */
export function readReport(path: string): Report {
  const file = statSync(path).isDirectory() ? join(path, 'report.json') : path;
  return report.parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** The report in the folder that the command line names. Without one, or with one that cannot be read, the process ends with code 2. */
export function reportNamed(usage: string): { whole: Report; folder: string } {
  const [named] = process.argv.slice(2);
  if (named === undefined || named.startsWith('-')) {
    console.error(usage);
    process.exit(2);
  }
  try {
    return { whole: readReport(named), folder: resolve(named) };
  } catch (error) {
    console.error(`${named} holds no report that can be read. ${error instanceof Error ? error.message : error}`);
    process.exit(2);
  }
}
