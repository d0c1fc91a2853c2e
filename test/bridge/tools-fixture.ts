/** Tools that the conformance suite's nodes offer. */

const tools = {
  double: { description: 'Twice a number.', run: async ({ n }: { n: number }) => n * 2 },
  throws: {
    description: 'Always fails.',
    run: async () => {
      throw new Error('on purpose');
    },
  },
  sleeps: {
    description: 'Ends only when it is told to.',
    run: (_args: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  },
};

// The module's default export is what `--tools` loads.
// biome-ignore lint/style/noDefaultExport: see above
export default tools;
