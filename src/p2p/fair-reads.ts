/**
 * Noise, with reading in slices: a connection on which much arrives at once is read a part per turn of the event loop, so that
 * decrypting it does not keep others waiting. Without it a socket hands over megabytes in one turn.
 */

import type { ConnectionEncrypter, MessageStream, SecureConnectionOptions } from '@libp2p/interface';
import { inBulkTurn } from './bulk-turns.ts';

/** Bytes that are read from one connection in one turn. */
const sliceBytes = 128 * 1024;

/** Wraps what makes an encrypter. `inTurn` is for tests. */
export function fairReads<Components>(
  create: (components: Components) => ConnectionEncrypter,
  inTurn: (slice: () => void) => void = inBulkTurn,
): (components: Components) => ConnectionEncrypter {
  return (components) => {
    const encrypter = create(components);
    const securing =
      (secure: ConnectionEncrypter['secureInbound']) =>
      async (connection: MessageStream, options?: SecureConnectionOptions) => {
        const secured = await secure.call(encrypter, connection, options);
        slice(connection, inTurn);
        return secured;
      };
    return new Proxy(encrypter, {
      get(target, key) {
        if (key === 'secureInbound' || key === 'secureOutbound') return securing(target[key]);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

/** What libp2p's streams have and their type does not say; `resume` throws on a stream that nothing can be read from any more. */
type Readable = MessageStream & { readonly readStatus?: 'readable' | 'paused' | 'closing' | 'closed' };

function slice(connection: Readable, inTurn: (slice: () => void) => void): void {
  let read = 0;
  const readOn = (): void => {
    if (connection.readStatus === 'paused') connection.resume();
  };
  connection.addEventListener('message', ({ data }) => {
    if (read === 0) {
      setImmediate(() => {
        read = 0;
      });
    }
    read += data.byteLength;
    if (read < sliceBytes || connection.readStatus !== 'readable') return;
    connection.pause();
    inTurn(readOn);
  });
}
