/** Tools of a node in tests: one that answers, one that fails, one that reports progress until it is given up. */

interface Run {
  signal: AbortSignal;
  progress(done: number, of?: number, message?: string): void;
}

const tools = {
  word_count: {
    description: 'Counts the words of a text.',
    inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
    run: ({ text }: { text: string }) => ({ words: text.match(/\S+/g)?.length ?? 0 }),
  },
  shout: { description: 'Answers a text that is no object.', run: () => 'HELLO' },
  explode: {
    description: 'Fails.',
    run: () => {
      throw new Error('it exploded');
    },
  },
  until_given_up: {
    description: 'Reports one step of three, then waits until its caller gives up.',
    run: (_: unknown, { signal, progress }: Run) =>
      new Promise((_resolve, reject) => {
        progress(1, 3, 'one of three');
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  },
};

// biome-ignore lint/style/noDefaultExport: a module of tools is loaded by its default export.
export default tools;
