import { conformance } from './conformance.ts';
import { childMesh, socketOf } from './p2p-process.ts';

conformance('process, by a Unix socket', (node) => childMesh(node, `unix:${socketOf(node.dataFolder)}`));
