/** Writes a report's page and tables anew from its `report.json`: `node bench/render.ts bench/reports/<folder>`. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { writeReport } from './page/write-report.ts';
import { report } from './report-schema.ts';

const folder = resolve(process.argv[2] ?? '.');
await writeReport(report.parse(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))), folder);
