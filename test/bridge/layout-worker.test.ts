import { openMesh } from '../../src/bridge/open-mesh.ts';
import { conformance } from './conformance.ts';

conformance('worker', (node) =>
  openMesh({
    layout: 'worker',
    node,
    logLevel: 'fatal',
    onDown(cause) {
      throw cause;
    },
  }),
);
