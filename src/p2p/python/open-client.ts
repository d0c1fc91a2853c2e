/**
 * Opens what uses the Python nodes that are named: their places, the leases that are held there, and the client. Called by
 * `open-python`. What a start must find again is in `python-client.sqlite`: leases, and under which peer ids each node was met.
 */

import { join } from 'node:path';
import type { Libp2p } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import { z } from 'zod';
import { openCache } from '../../cache/cache.ts';
import { LeaseLedger } from './lease-ledger.ts';
import { PythonClient, type PythonClientOptions } from './python-client.ts';
import { PythonPlace } from './python-place.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

/** How long peer ids are remembered, in seconds: as long as finished tasks are kept by default. */
const keepSeconds = 604_800;

const peerIds = z.array(z.string());

interface OpenClientOptions extends Omit<PythonClientOptions, 'places' | 'ledger'> {
  /** As the operator wrote them. */
  readonly places: readonly string[];
  readonly dataFolder: string;
  readonly host: Libp2p;
}

export interface OpenClient extends AsyncDisposable {
  readonly client: PythonClient;
}

export async function openPythonClient({
  host,
  dataFolder,
  places,
  ...options
}: OpenClientOptions): Promise<OpenClient> {
  const { clock, limits } = options;
  await using opened = new AsyncDisposableStack();
  const pages = await openCache({ path: join(dataFolder, 'python-client.sqlite'), clock, limits });
  opened.defer(() => pages.close());

  const placeOf = async (text: string): Promise<PythonPlace> => {
    const key = `met ${text}`;
    const { hit, value } = await pages.get({ key });
    const onMet = (ids: readonly string[]): void => {
      pages
        .set({ key, value: [...ids], ttl_s: keepSeconds })
        .catch((error) => log.warn('The peer id of a Python node could not be noted: {error}', { error }));
    };
    return new PythonPlace({ text, host, metBefore: hit ? peerIds.parse(value) : [], onMet });
  };

  const client = opened.use(
    new PythonClient({
      ...options,
      places: await Promise.all(places.map(placeOf)),
      ledger: new LeaseLedger(clock, pages),
    }),
  );
  client.start();
  const open = opened.move();
  return { client, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
