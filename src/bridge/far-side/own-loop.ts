/**
 * Makes the node for a mesh in the caller's own loop. A file of its own, so that the other layouts load no libp2p into the
 * server's thread.
 */

export { createNode } from '../../p2p/node.ts';
