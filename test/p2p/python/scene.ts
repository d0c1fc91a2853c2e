/** A node that uses a Python node, as the tests of that side start it. */

import { writeFile } from 'node:fs/promises';
import type { PythonOptions } from '../../../src/mesh/node-options.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';
import { suite } from '../../tooling/suite.ts';
import { startNode, type TestNode } from '../support.ts';
import { type Double, startDouble } from './double.ts';

/** What the scripted Python nodes ask for. */
export const token = 'sekret';

export interface User extends AsyncDisposable {
  node: TestNode;
  /** Puts the Python node’s address in front of an input. */
  at: { remote_multiaddr: string };
}

export interface UserOptions {
  python?: Partial<PythonOptions>;
  clock?: FakeClock | undefined;
  /** The data folder of a node that starts again; without it, one of its own. */
  dataFolder?: string;
}

/** A node that uses the Python node at a place. */
export async function userOf(place: string, { python = {}, clock, dataFolder }: UserOptions = {}): Promise<User> {
  const folder: TempFolder = await tempFolder();
  await writeFile(folder.file('token'), token, { mode: 0o600 });
  const options = { listen: [], peers: [place], tokenFile: folder.file('token'), legacy: false, leaseSeconds: 300 };
  const node = await startNode(
    { python: { ...options, ...python }, ...(dataFolder === undefined ? {} : { dataFolder }) },
    clock === undefined ? {} : { clock },
  );
  return {
    node,
    at: { remote_multiaddr: place },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

export interface Scene {
  double: Double;
  user: User;
}

/** A suite with a scripted Python node and a node that uses it; each test finds the Python node as it was at the beginning. */
export function sceneSuite(title: string): ReturnType<typeof suite<Scene>> {
  const test = suite<Scene>(title);
  test.before(async (scene) => {
    scene.double = await startDouble({ token });
    scene.user = await userOf(scene.double.address);
  });
  test.before.each(({ double }) => {
    double.tasks.clear();
    double.seen.clear();
    double.script.clear();
    double.heard.length = 0;
  });
  test.after(async ({ double, user }) => {
    await user[Symbol.asyncDispose]();
    await double[Symbol.asyncDispose]();
  });
  return test;
}
