/** What this program is and what it runs on: for `status`, `--version`, and what peers and clients are told. */

import process from 'node:process';
import manifest from '../../package.json' with { type: 'json' };

/** taskmesh's own version. */
export const version: string = manifest.version;

const { deno } = process.versions as Record<string, string | undefined>;

/** The runtime and its version; Deno names itself in the versions that it shows to Node programs. */
export const runtime: { readonly name: 'node' | 'deno'; readonly version: string } =
  deno === undefined ? { name: 'node', version: process.versions.node } : { name: 'deno', version: deno };
