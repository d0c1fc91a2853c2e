/**
 * Where logs go: to standard error, one line each, from the level on that the operator chose. Called once per thread, by the
 * entrypoints and the far-side mains; everything else only takes a logger by its category.
 */

import process from 'node:process';
import { Writable } from 'node:stream';
import { configure, getAnsiColorFormatter, getStreamSink, getTextFormatter, type LogLevel } from '@logtape/logtape';

/** `level` is one of LogTape's. */
export async function configureLogs(level: LogLevel): Promise<void> {
  const formatter = process.stderr.isTTY && !process.env.NO_COLOR ? getAnsiColorFormatter() : getTextFormatter();
  await configure({
    reset: true,
    sinks: { stderr: getStreamSink(Writable.toWeb(process.stderr), { formatter }) },
    loggers: [
      { category: ['taskmesh'], lowestLevel: level, sinks: ['stderr'] },
      { category: ['logtape', 'meta'], lowestLevel: null, sinks: [] },
    ],
  });
}
