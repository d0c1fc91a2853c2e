/**
 * Tools that a node offers to its peers: `taskmesh serve --tools ./examples/tools.ts`, then from any other machine
 * `taskmesh call word_count '{"text": "to be or not to be"}' --peer <peer id>`.
 */

interface Tool {
  description: string;
  run(args: Record<string, unknown>, context: { signal: AbortSignal }): unknown;
}

const tools: Record<string, Tool> = {
  word_count: {
    description: 'Counts the words of {"text": …}.',
    run: (args) => ({ words: String(args.text ?? '').match(/\S+/g)?.length ?? 0 }),
  },
  sleep: {
    description: 'Answers after {"seconds": …}; stops at once when the caller gives up.',
    run: ({ seconds = 1 }, { signal }) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve({ slept_s: seconds }), Number(seconds) * 1000);
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      }),
  },
};

// biome-ignore lint/style/noDefaultExport: a module of tools is loaded by its default export.
export default tools;
