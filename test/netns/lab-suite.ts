/** A suite of tests that need a lab. Where there can be none, it says so loudly and all of its tests count as skipped. */

import { suite } from '../tooling/suite.ts';
import { whyNoLab } from './lab.ts';

interface LabSuite {
  (name: string, test: () => Promise<void>): void;
  run(): void;
}

export async function labSuite(name: string): Promise<LabSuite> {
  const tests = suite(name);
  const why = await whyNoLab();
  const add = (title: string, test: () => Promise<void>): void => {
    if (why === undefined) {
      tests(title, test);
      return;
    }
    console.log(`SKIPPED: ${title}: this machine gives no network namespaces (${why})`);
    tests.skip(title, test);
  };
  return Object.assign(add, { run: () => tests.run() });
}
