/** Writes a report's page and tables anew from its `report.json`: `node bench/render.ts bench/reports/<folder>`. */

import { reportNamed } from './page/read-report.ts';
import { writeReport } from './page/write-report.ts';

const { whole, folder } = reportNamed('usage: node bench/render.ts <folder of a report>');
await writeReport(whole, folder);
