#!/usr/bin/env node
/**
 * The `taskmesh` command: finds a Node that runs the TypeScript sources as they are, and hands over to `entrypoints/cli.ts`.
 * It is JavaScript that any Node from 18 on can read, because it has to run before a suitable Node is found.
 *
 * A limit of Node: it refuses to strip types from files under a `node_modules` folder. So the command works in a checkout
 * (`npx taskmesh`, `npm link`), not from a copy that a package manager put into `node_modules`; there, Deno is the way.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The first release that strips types without a flag. */
const minimum = [22, 18];

const here = fileURLToPath(import.meta.url);

/** Exit code of a command that was found but cannot be executed (POSIX shells). */
const cannotExecute = 126;

function isModernEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
}

/** The executable of the npm package `node`, a development dependency of this project; undefined where it is not installed. */
function nodeFromNpm() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const { bin, version } = JSON.parse(readFileSync(manifest, 'utf8'));
    const executable = path.join(path.dirname(manifest), bin.node);
    return isModernEnough(version) && existsSync(executable) ? executable : undefined;
  } catch {
    return undefined;
  }
}

function giveUp(message) {
  console.error(message);
  process.exitCode = cannotExecute;
}

/** Runs this file again on `executable`; its signals and its exit are those of the command. */
function handOver(executable) {
  const child = spawn(executable, [...process.execArgv, here, ...process.argv.slice(2)], { stdio: 'inherit' });
  const forward = (signal) => child.kill(signal);
  // A terminal sends Ctrl-C to the child as well; a second one, forwarded, would be taken for impatience.
  process.on('SIGINT', process.stdin.isTTY ? () => {} : forward);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  child.on('error', (error) => giveUp(`taskmesh: ${executable} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (here.split(path.sep).includes('node_modules')) {
  giveUp(
    'taskmesh: Node does not run TypeScript from a node_modules folder. Use a checkout of taskmesh (`npm ci`, then ' +
      '`npx taskmesh` or `npm link`), or Deno: `deno run --allow-all <this folder>/entrypoints/cli.ts`.',
  );
} else if (isModernEnough(process.versions.node)) {
  await import('../entrypoints/cli.ts');
} else {
  const executable = nodeFromNpm();
  if (executable) handOver(executable);
  else
    giveUp(
      `taskmesh: this is Node ${process.versions.node}; ${minimum.join('.')} or newer is needed (24 is advised). ` +
        'Run `npm ci` in the taskmesh folder, which brings a Node of its own, or install a newer one: https://nodejs.org',
    );
}
