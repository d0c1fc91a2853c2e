/** What the thread pools run. Started by `bench/subjects/hop-peers.ts`. */

// biome-ignore lint/style/noDefaultExport: the pools look for it
export default function echo(input: unknown): unknown {
  return input;
}
