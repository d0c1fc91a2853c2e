/**
 * A stream muxer whose connection ends with it. A peer that says goodbye closes the connection a moment later; until that is noticed
 * libp2p calls the connection open, although no stream can be opened on it any more: whoever picked it for a call was told that the
 * peer could not be connected to. Used by both libp2p hosts.
 */

import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';

/** Wraps what makes a muxer: once the far side has said goodbye, the connection is closed from here too. */
export function endingMuxer(create: () => StreamMuxerFactory): () => StreamMuxerFactory {
  return () => {
    const factory = create();
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        const muxer = factory.createStreamMuxer(connection);
        closeAfter(muxer, connection);
        return muxer;
      },
    };
  };
}

/** The muxer tells nobody that it has ended; what ends it is a message, which it has read by the time that this hears of it. */
function closeAfter(muxer: StreamMuxer, connection: MessageStream): void {
  connection.addEventListener('message', () => {
    if (muxer.status !== 'closed' || connection.status !== 'open') return;
    connection.close().catch((error: Error) => connection.abort(error));
  });
}
