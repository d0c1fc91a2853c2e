/** What a supervisor needs of a way to run the far side. One file per way implements it: a thread, a child process, a service. */

import type { MeshEvent } from '../mesh/mesh.ts';
import type { NearSide } from './near-side.ts';

/** One life of a far side: from the moment its node listens to its end. */
export interface FarSideLife {
  readonly near: NearSide;
  /** Resolves with the cause when the far side ends or the connection to it breaks, asked for or not. Never rejects. */
  readonly ended: Promise<Error>;
  /** Stops the node if it is ours, then the far side; what does not end by itself within the grace is ended. Idempotent. */
  stop(): Promise<void>;
  /** Ends it at once, whatever it is doing. What belongs to somebody else is only let go of. */
  kill(): Promise<void>;
}

export interface FarSideWay {
  /** For people: `worker`, `process`. */
  readonly layout: string;
  /** Whether the far side is ours to end when it no longer answers. */
  readonly owned: boolean;
  /**
   * Brings a far side to life. Resolves when its node listens and the hello is done. Rejects with a `MeshError` after having
   * cleaned up; a retryable one means that it may work later. `signal` gives up.
   */
  open(events: { onEvent(event: MeshEvent): void }, signal: AbortSignal): Promise<FarSideLife>;
}
