import type { Connection, Libp2p, StreamMuxer } from '@libp2p/interface';
import * as assert from 'uvu/assert';
import { suite } from '../tooling/suite.ts';
import { ownHost, rawHost, until } from './support.ts';

const goodbye = suite('goodbye');

/** What libp2p's connections have and their type does not say. */
function muxerOf(connection: Connection): StreamMuxer {
  return (connection as Connection & { readonly muxer: StreamMuxer }).muxer;
}

function identified(host: Libp2p): Promise<Connection> {
  return new Promise((resolve) =>
    host.addEventListener('peer:identify', ({ detail }) => resolve(detail.connection), { once: true }),
  );
}

goodbye('a connection on which the peer has said goodbye is not open any more, although its socket is', async () => {
  await using host = await ownHost();
  await using peer = await rawHost([]);
  // Both have identified the other: nothing is under way that would notice by itself.
  const [known, met] = [identified(peer), identified(host)];
  const far = await peer.dial(host.getMultiaddrs());
  const [, near] = [await known, await met];
  assert.is(near.status, 'open');
  // The first of the two things that closing a connection is; the second one is the end of the socket.
  await muxerOf(far).close();
  await until(() => muxerOf(near).status !== 'open');
  assert.is.not(near.status, 'open');
});

goodbye.run();
