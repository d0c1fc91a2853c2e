/** The rooms of the house and who may import whom: the rules that docs/architecture.md draws, and what the code does. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A room may import itself and what stands here. The order is the floors of the house, ground floor first. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  mesh: [],
  logs: [],
  queue: ['mesh'],
  cache: ['mesh'],
  trust: ['mesh'],
  rpc: ['mesh'],
  config: ['mesh'],
  work: ['mesh'],
  server: ['mesh'],
  p2p: ['mesh', 'queue', 'cache', 'rpc', 'trust'],
  bridge: ['mesh', 'rpc'],
  'far side': ['mesh', 'rpc', 'bridge', 'p2p', 'logs'],
  cli: ['mesh', 'config', 'work', 'trust'],
  library: ['mesh', 'bridge', 'work', 'p2p'],
  entrypoints: ['mesh', 'logs', 'config', 'work', 'server', 'bridge', 'cli', 'library'],
};

/** The room that a file stands in. */
export function roomOf(file: string): string {
  if (file.startsWith('src/bridge/far-side/')) return 'far side';
  if (file === 'src/logs.ts') return 'logs';
  if (file === 'mod.ts' || file === 'src/create-mesh.ts') return 'library';
  if (file.startsWith('entrypoints/')) return 'entrypoints';
  return file.split('/')[1] ?? file;
}

export interface Import {
  from: string;
  /** A file of the project, or the specifier of a package. */
  to: string;
  /** Loaded only when it is asked for: breaks no start-up order and closes no cycle. */
  dynamic: boolean;
  own: boolean;
}

const statement =
  /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|(\bimport|new URL)\(\s*['"]([^'"]+)['"]/gm;

/** All imports of the product's own files: static, of types too, dynamic ones, and files named for a thread to run. */
export function readImports(): Import[] {
  const files = ['src', 'entrypoints'].flatMap((folder) => list(join(root, folder)));
  return [...files, join(root, 'mod.ts')].flatMap((path) => {
    const from = relative(root, path);
    return [...readFileSync(path, 'utf8').matchAll(statement)].map((match): Import => {
      const specifier = match[1] ?? match[2] ?? match[4] ?? '';
      const own = specifier.startsWith('.');
      return {
        from,
        to: own ? relative(root, join(dirname(path), specifier)) : specifier,
        dynamic: match[3] !== undefined,
        own,
      };
    });
  });
}

function list(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
