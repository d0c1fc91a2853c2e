/**
 * libp2p's logs as LogTape records under `taskmesh.libp2p`. libp2p logs what peers do to it as errors; for an operator these
 * are details, so they arrive as debug messages.
 */

import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';

export function libp2pLogger(): ComponentLogger {
  return { forComponent: (name) => loggerOf(['taskmesh', ...name.split(':')]) };
}

function loggerOf(category: string[]): Libp2pLogger {
  const logger = getLogger(category);
  const debug = (formatter: unknown, ...args: unknown[]): void => {
    // libp2p makes these calls for every frame: nothing may be formatted while nobody listens.
    if (logger.isEnabledFor('debug')) logger.debug(format(formatter, args));
  };
  return Object.assign(debug, {
    error: debug,
    trace: () => {},
    enabled: false,
    newScope: (name: string) => loggerOf([...category, ...name.split(':')]),
  });
}

/** Fills in libp2p's printf-like placeholders. */
function format(formatter: unknown, args: unknown[]): string {
  let next = 0;
  return String(formatter).replace(/%[a-zA-Z]/g, (placeholder) => {
    if (next >= args.length) return placeholder;
    const arg = args[next++];
    return (arg instanceof Error ? `${arg.name}: ${arg.message}` : String(arg)).slice(0, 500);
  });
}
