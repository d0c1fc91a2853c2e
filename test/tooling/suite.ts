/**
 * uvu's `suite`, with every failure readable.
 *
 * uvu takes an error's `details` for text: one that is an object, as a `MeshError`'s is, throws inside uvu, which then leaves out
 * the tests that follow and prints nothing of the failure. It prints nothing of a hook that throws either.
 */
import { type Callback, type Test, suite as uvuSuite } from 'uvu';

function readable(error: unknown): unknown {
  if (!(error instanceof Error)) return new Error(`not an error was thrown: ${JSON.stringify(error)}`);
  if (!('details' in error) || typeof error.details !== 'object' || error.details === null) return error;
  const shown = new Error(`${error.message} ${JSON.stringify(error.details)}`, { cause: error });
  if (error.stack !== undefined) shown.stack = error.stack;
  return shown;
}

/** @param title stands before its tests' outcomes @param context what every test and hook of the suite is called with */
export function suite<T = Record<string, unknown>>(title: string, context?: T): Test<T> {
  const inner = uvuSuite<T>(title, context);
  const tested =
    (test: Callback<T>): Callback<T> =>
    async (given) => {
      try {
        await test(given);
      } catch (error) {
        throw readable(error);
      }
    };
  const hooked =
    (when: string, hook: Callback<T>): Callback<T> =>
    async (given) => {
      try {
        await hook(given);
      } catch (error) {
        console.error(`'${title}' ${when} failed:`, error);
        throw error;
      }
    };
  const hookNamed = (name: 'before' | 'after') =>
    Object.assign((hook: Callback<T>) => inner[name](hooked(name, hook)), {
      each: (hook: Callback<T>) => inner[name].each(hooked(`${name}.each`, hook)),
    });
  return Object.assign((name: string, test: Callback<T>) => inner(name, tested(test)), {
    only: (name: string, test: Callback<T>) => inner.only(name, tested(test)),
    skip: inner.skip,
    before: hookNamed('before'),
    after: hookNamed('after'),
    run: inner.run,
  });
}
