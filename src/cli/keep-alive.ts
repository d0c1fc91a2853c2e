/** Keeps the process alive while a command waits for a node to come back: the clock's own timers do not. */

/** The longest that the runtimes take, in milliseconds, or nearly. */
const everyMs = 2 ** 30;

export function keepAlive(): Disposable {
  const timer = setInterval(() => {}, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
