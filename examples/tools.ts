/**
 * Tools that a node offers to its peers: `taskmesh serve --tools ./examples/tools.ts`, then from any other machine
 * `taskmesh call word_count '{"text": "to be or not to be"}' --peer <peer id>`, or from any MCP client by `taskmesh proxy <peer id>`.
 *
 * A peer may call the tools that its grant names: `taskmesh grant <its peer id> --add tools:word_count`.
 */

interface Tool {
  description: string;
  /** JSON Schema of the arguments; they are checked against it. */
  inputSchema?: Record<string, unknown>;
  run(
    args: Record<string, unknown>,
    context: { signal: AbortSignal; progress(done: number, of?: number, message?: string): void },
  ): unknown;
}

const tools: Record<string, Tool> = {
  word_count: {
    description: 'Counts the words of a text.',
    inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
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
