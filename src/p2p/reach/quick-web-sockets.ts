/**
 * libp2p's WebSockets, dialling with the `ws` package in place of the runtime's own client. Deno's own holds small messages back
 * for 40 ms (each waits for the acknowledgement of the one before), which makes every round trip 40 ms long; `ws` sends them at
 * once. Both runtimes dial alike, so that there is one way to test. Used where the host is built.
 */

import type { DialTransportOptions, Transport } from '@libp2p/interface';
import { webSockets } from '@libp2p/websockets';
import { CODE_IP6, CODE_TCP, CODE_TLS, CODE_WSS, type Multiaddr } from '@multiformats/multiaddr';
import { WebSocket as QuickWebSocket } from 'ws';

/** What one message may hold: more than a muxer's frame, less than would be worth an attack. */
const maxMessageBytes = 16 * 1024 * 1024;

type Create = ReturnType<typeof webSockets>;

/** How libp2p's transport makes its socket: the seam, which its type does not name. */
interface Connecting {
  _connect(address: Multiaddr, options: DialTransportOptions): Promise<WebSocket>;
}

export function quickWebSockets(): Create {
  const create = webSockets();
  return (components) => {
    const transport = create(components) as Transport & Connecting;
    if (typeof transport._connect !== 'function') throw new Error('@libp2p/websockets has no _connect any more');
    transport._connect = (address, { signal }) => connect(uriOf(address), signal);
    return transport;
  };
}

/** Resolves when the socket is open. */
function connect(uri: string, signal: AbortSignal): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new DialledSocket(uri, { perMessageDeflate: false, maxPayload: maxMessageBytes });
    socket.binaryType = 'arraybuffer';
    const end = (): void => signal.removeEventListener('abort', onAbort);
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    const onAbort = (): void => {
      fail(new Error(`${uri} did not answer in time`));
      socket.terminate();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays: a socket that breaks later reports it here too, and closes, which is what libp2p listens for.
    socket.on('error', (error) => fail(new Error(error.message || `${uri} cannot be connected to`, { cause: error })));
    socket.once('open', () => {
      end();
      resolve(socket as unknown as WebSocket);
    });
    if (signal.aborted) onAbort();
  });
}

class DialledSocket extends QuickWebSocket {
  /** libp2p resets a connection with the code for "gone without a word", which nobody may send. */
  override close(code?: number, reason?: string): void {
    if (code === 1006) this.terminate();
    else super.close(code, reason);
  }
}

/** `/ip4/1.2.3.4/tcp/80/ws` is `ws://1.2.3.4:80`; with TLS, `wss`. */
export function uriOf(address: Multiaddr): string {
  const components = address.getComponents();
  const [host] = components;
  const port = components.find(({ code }) => code === CODE_TCP)?.value ?? '80';
  const name = host?.code === CODE_IP6 ? `[${host.value}]` : (host?.value ?? '');
  const secure = components.some(({ code }) => code === CODE_WSS || code === CODE_TLS);
  return `${secure ? 'wss' : 'ws'}://${name}:${port}`;
}
