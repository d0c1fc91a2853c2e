/** The container files: settings that exist, Deno's own permissions and version, signals that reach the program. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import denoConfig from '../../deno.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };
import { settingNames, variableOf } from '../../src/config/settings.ts';
import { suite } from '../tooling/suite.ts';
import { readCommand } from './read-unit.ts';

const test = suite('container files');
const root = fileURLToPath(new URL('../..', import.meta.url));
const names = ['node', 'deno'] as const;
const textOf = (name: string): string => readFileSync(`${root}/deploy/container/Containerfile.${name}`, 'utf8');

/** The words of an instruction in exec form; those in shell form are not found. */
function execForm(text: string, instruction: string): string[] {
  const found = new RegExp(`^\\s*${instruction} (\\[.*\\])$`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${instruction} in exec form`);
  return JSON.parse(found) as string[];
}

test('the program is started without a shell, as a user that is not root, with its data in a volume', () => {
  for (const name of names) {
    const text = textOf(name);
    assert.is(execForm(text, 'ENTRYPOINT')[0], name);
    assert.match(text, /^CMD \["serve"\]$/m);
    assert.is(/^USER (\S+)$/m.exec(text)?.[1], name);
    assert.match(text, /^VOLUME \/data$/m);
    assert.match(text, /^HEALTHCHECK [^[]*\n {2}CMD \[.*\/readyz/m);
  }
});

test('the variables that they set are settings', () => {
  const variables = new Set<string>(settingNames.map(variableOf));
  for (const name of names) {
    const set = [...textOf(name).matchAll(/^\s*(?:ENV )?(TASKMESH_\w+)=/gm)].map(([, variable = '']) => variable);
    assert.ok(set.length > 0);
    for (const variable of set) assert.ok(variables.has(variable), `${name}: ${variable}`);
  }
});

test('Deno gets the permissions of its task, for the folder of the volume', () => {
  const task = readCommand(denoConfig.tasks.start.split(' ')).runtime;
  const expected = task.map((word) => word.replaceAll('$HOME/.taskmesh', '/data'));
  assert.equal(readCommand(execForm(textOf('deno'), 'ENTRYPOINT')).runtime, expected);
});

test('the images are of the runtimes that the project is tested on', () => {
  const major = (range: string): string => /\d+/.exec(range)?.[0] ?? '';
  assert.match(textOf('node'), new RegExp(`library/node:${major(manifest.devDependencies.node)}-`));
  assert.match(
    textOf('deno'),
    new RegExp(`denoland/deno:debian-${manifest.devDependencies.deno.slice(1).replaceAll('.', '\\.')}$`, 'm'),
  );
});

test('all that the images copy is let through to them', () => {
  const allowed = readFileSync(`${root}/.containerignore`, 'utf8').split('\n');
  for (const name of names) {
    const lines = [...textOf(name).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].map(([, sources = '']) => sources);
    for (const source of lines.flatMap((line) => line.split(' ')))
      assert.ok(allowed.includes(`!${source.replace(/^\.\//, '')}`), source);
  }
});

test.run();
