import { conformance } from './conformance.ts';
import { childMesh } from './p2p-process.ts';

conformance('process, by loopback HTTP', (node) => childMesh(node, 'http://127.0.0.1:0'));
