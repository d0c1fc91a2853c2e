/**
 * Where a P2P service listens for the servers that it serves: a Unix socket or loopback HTTP. Written `unix:/path` and
 * `http://127.0.0.1:7331`; read by the settings, used by the bridge.
 */

export type RpcAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'http'; readonly host: '127.0.0.1' | '::1'; readonly port: number };

/** The longest path that a socket may have on every system: `sun_path` without its ending zero, in bytes. */
export const maxSocketPathBytes = 103;

/** Answers undefined for what is no such address. Relative paths stay relative. */
export function parseRpcAddress(text: string): RpcAddress | undefined {
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : undefined;
  const [, name, port] = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})\/?$/.exec(text) ?? [];
  if (name === undefined || Number(port) > 65_535) return undefined;
  return { kind: 'http', host: name === '[::1]' ? '::1' : '127.0.0.1', port: Number(port) };
}

export function formatRpcAddress(address: RpcAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `http://${address.host === '::1' ? '[::1]' : address.host}:${address.port}`;
}
