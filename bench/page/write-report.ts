/**
 * Writes a report: `report.json` (everything, with its samples), `report.md`, `index.html`, and beside the folder `latest.md`.
 * Nothing is left half written: each file is written under another name first.
 */

import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../report-schema.ts';
import { adviceFrom } from './choose.ts';
import { htmlOf } from './html.ts';
import { markdownOf } from './markdown.ts';

export const reportsFolder = fileURLToPath(new URL('../reports', import.meta.url));

/** `<date>-<machine>`, as a name of a folder; from the day's second report on with its time, so that none takes another's place. */
export function folderNameOf({ started_at, machine }: Report, isTaken = isThere): string {
  const [day = '', time = ''] = started_at.split('T');
  const name = `${day}-${machine.name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
  return isTaken(name) ? `${name}-${time.slice(0, 8).replaceAll(':', '')}` : name;
}

const isThere = (name: string): boolean => existsSync(join(reportsFolder, name));

/** `folder`: where the report goes; `latest.md` goes beside it only where it is in the reports' own folder, full and whole. */
export async function writeReport(report: Report, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const advice = adviceFrom(report);
  write(join(folder, 'report.json'), JSON.stringify(report));
  write(join(folder, 'report.md'), markdownOf(report, advice, { isWhole: true, page: 'index.html' }));
  write(join(folder, 'index.html'), await htmlOf(report, advice));
  if (dirname(folder) !== reportsFolder || report.mode !== 'full' || !report.complete) return;
  const page = `${basename(folder)}/index.html`;
  write(join(reportsFolder, 'latest.md'), markdownOf(report, advice, { isWhole: false, page }));
}

function write(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
