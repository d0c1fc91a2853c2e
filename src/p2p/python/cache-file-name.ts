/** The file that a Python node keeps a cached value in: for people who look for it on its disk. */

import { sha256 } from './merkle-clock.ts';

export function cacheFileName(key: string): string {
  return `${sha256(key)}.json`;
}
