/** What every report and table names: the machine, the versions, the commit. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Report } from '../report-schema.ts';
import { pinningInWords } from './pinning.ts';
import { runtimeNames, versionOf } from './runtimes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export function thisMachine(): Report['machine'] {
  return {
    name: hostname(),
    model: cpus()[0]?.model.trim() ?? arch(),
    cores: cpus().length,
    memory_mb: Math.round(totalmem() / 1e6),
    kernel: `${type()} ${release()} ${arch()}`,
    pinning: pinningInWords,
    load_before: loadavg()[0] ?? 0,
  };
}

/** Of the runtimes, and of the packages that are measured or measured beside. */
export function versions(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const runtime of runtimeNames) {
    const version = versionOf(runtime)
      ?.replace(/^(deno |v)/, '')
      .split(' ')[0];
    if (version !== undefined) found[runtime] = version;
  }
  for (const name of ['taskmesh', 'libp2p', 'piscina', 'tinypool', 'comlink', 'birpc']) {
    const file = name === 'taskmesh' ? 'package.json' : `node_modules/${name}/package.json`;
    try {
      found[name] = (JSON.parse(readFileSync(`${root}/${file}`, 'utf8')) as { version: string }).version;
    } catch {
      // What is not installed is left out, here and by its suite.
    }
  }
  return found;
}

export function commitOf(): { commit: string; modified: boolean } {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    return { commit: git('rev-parse', '--short', 'HEAD'), modified: git('status', '--porcelain', '-uno') !== '' };
  } catch {
    return { commit: 'unknown', modified: false };
  }
}
