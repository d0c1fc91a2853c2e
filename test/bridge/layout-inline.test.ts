import { openMesh } from '../../src/bridge/open-mesh.ts';
import { conformance } from './conformance.ts';

conformance('inline', (node) =>
  openMesh({
    layout: 'inline',
    node,
    logLevel: 'fatal',
    onDown(cause) {
      throw cause;
    },
  }),
);
