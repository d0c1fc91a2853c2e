/** The `process` layout with a P2P service of the server's own: a child process, started and ended with the server. */

import type { RpcAddress } from '../mesh/rpc-address.ts';
import { ChildService, type Command, type SupervisedOptions } from './child-process.ts';
import { readToken } from './connect.ts';
import type { FarSideLife, FarSideWay } from './far-side-life.ts';
import { greetService } from './service-way.ts';

export interface ChildWayOptions {
  /** Starts `entrypoints/p2p.ts --supervised`; the runtime and its permissions are the entrypoint's knowledge. */
  command: Command;
  service: SupervisedOptions;
  /** Told of each child, for tests that do things to it. */
  onStarted?: (pid: number) => void;
}

export function childWay({ command, service, onStarted }: ChildWayOptions): FarSideWay {
  return {
    layout: 'process',
    owned: true,
    async open({ onEvent }, signal) {
      const child = new ChildService(command, service);
      if (child.pid !== undefined) onStarted?.(child.pid);
      const giveUp = (): void => void child.kill();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        const { rpc, tokenFile } = await child.listening();
        const address = rpc[0] as RpcAddress;
        const token = readToken(tokenFile);
        const connection = await greetService(address, { token, onEvent, signal });
        return ownLife(child, connection);
      } catch (error) {
        await child.kill();
        throw signal.aborted ? signal.reason : error;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
  };
}

/** The child's life and the connection's are one: when either ends, so does the other, before a next one is begun. */
function ownLife(child: ChildService, { near, ended }: FarSideLife): FarSideLife {
  void child.ended.then((cause) => near.close(cause));
  void ended.then(() => child.stop());
  return {
    near,
    ended: child.ended,
    async stop() {
      await child.stop();
      near.close();
    },
    async kill() {
      near.close();
      await child.kill();
    },
  };
}
