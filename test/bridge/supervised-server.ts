/** A server's side of the layout `process`, for tests of what happens to the processes: a supervised mesh whose health is told of. */

import type { FarSideWay } from '../../src/bridge/far-side-life.ts';
import type { Patience } from '../../src/bridge/patience.ts';
import { SupervisedMesh } from '../../src/bridge/supervised-mesh.ts';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { BridgeHealth } from '../../src/mesh/health.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';

export interface Server extends AsyncDisposable {
  running: SupervisedMesh;
  mesh: Mesh;
  /** Resolves when the health is, or becomes, so. */
  health(state: BridgeHealth['state']): Promise<void>;
}

export function server(way: FarSideWay, patience: Partial<Patience> = {}): Server {
  const awaited = new Set<() => void>();
  const running = new SupervisedMesh(way, {
    patience: { checkEveryMs: 20, answerWithinMs: 200, ...patience },
    onHealth() {
      for (const look of awaited) look();
    },
    onDown: () => {},
  });
  return {
    running,
    mesh: checked(running),
    health: (state) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (running.health().state !== state) return;
          awaited.delete(look);
          resolve();
        };
        awaited.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

export async function startedServer(way: FarSideWay, patience?: Partial<Patience>): Promise<Server> {
  const made = server(way, patience);
  await made.running.start();
  return made;
}

/** The `MeshError` that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<MeshError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
  throw new Error('It should have failed.');
}
