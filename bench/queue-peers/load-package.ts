/**
 * Loads a package of this folder, which is installed by those who want the comparison and by nobody else. Its name is no literal, so
 * that the checks of types and of dependencies do without it; who calls says what it uses of the package.
 */

import { readFileSync } from 'node:fs';

const root = new URL('./node_modules/', import.meta.url);

/** The version that is installed here; undefined when it is not. */
export function versionOfPackage(name: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(new URL(`${name}/package.json`, root), 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** A file of a package, whether it is there or not. */
export const fileOfPackage = (name: string, path: string): URL => new URL(`${name}/${path}`, root);

/** Rejects when it is not installed. */
export function loadPackage<Used>(name: string): Promise<Used> {
  return import(name) as Promise<Used>;
}
