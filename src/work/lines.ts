/** Cuts a program's output into lines. Called by `exec` for standard error. */

/** Answers a function that takes chunks. A line beyond `maxBytes` is cut and handed over without its rest. */
export function lineReader(maxBytes: number, onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  let line = '';
  let skipping = false;
  return (chunk) => {
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        if (!skipping) onLine(line);
        line = '';
        skipping = false;
      }
      if (skipping) continue;
      line += part;
      if (line.length <= maxBytes) continue;
      onLine(line.slice(0, maxBytes));
      line = '';
      skipping = true;
    }
  };
}
