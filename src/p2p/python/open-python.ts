/**
 * Opens what speaks to Python nodes: a second host, a listener for them where one is set, a client for those that are named. Called
 * by the node's start when a setting asks for it; nothing of it exists otherwise.
 */

import { join } from 'node:path';
import type { PrivateKey } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import { checked } from '../../mesh/checked.ts';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Grant } from '../../mesh/grant.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Mesh } from '../../mesh/mesh.ts';
import type { NodeOptions, PythonOptions } from '../../mesh/node-options.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import { readPrivateFile } from '../../trust/private-file.ts';
import { removeAnnouncement, writeAnnouncement } from '../discovery/announce-file.ts';
import type { LocalOperations } from '../local-operations.ts';
import { parseListenAddress } from '../reach/addresses.ts';
import { stopHost } from '../stop-host.ts';
import { Guard } from './guard.ts';
import { buildPythonHost } from './host.ts';
import { openLeaseBook } from './lease-book.ts';
import { PythonListener } from './listener.ts';
import { openPythonClient } from './open-client.ts';
import { PythonOperations } from './operations.ts';
import type { PythonClient } from './python-client.ts';
import { Scheduler } from './scheduler.ts';
import { readToken } from './token.ts';
import { grantedMesh, tokenGrant } from './token-grant.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

/** In whose name all who hold the token submit, look and cancel: their own identities last for one call. No peer id looks like it. */
const tokenHolders = 'python-token';

/** How long the host may take to say goodbye, in milliseconds. */
const goodbyeMs = 500;

interface OpenPythonOptions {
  readonly options: PythonOptions;
  readonly dataFolder: string;
  readonly peerId: string;
  readonly privateKey: PrivateKey;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly grant: Grant;
  /** The checked operations in somebody's name, within the grant. */
  meshFor(caller: string): Mesh;
}

export interface OpenPython extends AsyncDisposable {
  /** Undefined when no Python node is named. */
  readonly client: PythonClient | undefined;
  /** What `status` tells the node's own callers. */
  report(): Pick<NonNullable<OperationOutput<'status'>['detail']>, 'python'>;
}

interface PythonParts extends Pick<OpenPythonOptions, 'peerId' | 'privateKey' | 'clock' | 'limits'> {
  readonly operations: LocalOperations;
}

/** What the node's options ask for; undefined when they ask for nothing. */
export async function pythonFor(
  { python: options, dataFolder }: NodeOptions,
  { operations, ...parts }: PythonParts,
): Promise<OpenPython | undefined> {
  if (options === undefined) return undefined;
  const grant = { ...tokenGrant, ...options.grant };
  const meshFor = (caller: string): Mesh => checked(grantedMesh(operations, caller, grant), parts.limits);
  return openPython({ ...parts, options, dataFolder, grant, meshFor });
}

/** Throws `invalid_config` (no token), `invalid_multiaddr`, `address_in_use`. */
async function openPython(parts: OpenPythonOptions): Promise<OpenPython> {
  const { options, dataFolder, peerId, clock, limits } = parts;
  const listen = options.listen.map(parseListenAddress);
  const token = await tokenOf(options, dataFolder);
  await using opened = new AsyncDisposableStack();
  const host = await buildPythonHost({ privateKey: parts.privateKey, listen, limits });
  opened.defer(() => stopHost(host, clock, goodbyeMs));
  if (listen.length > 0 && token !== undefined) {
    const book = opened.use(await openLeaseBook({ path: join(dataFolder, 'python-leases.sqlite'), clock, limits }));
    const operations = new PythonOperations({
      peerId,
      meshFor: parts.meshFor,
      everybody: tokenHolders,
      book,
      scheduler: new Scheduler(peerId, clock),
      leaseSeconds: options.leaseSeconds,
      addresses: () => host.getMultiaddrs().map(String),
      legacy: options.legacy,
      limits,
    });
    const perSecond = Math.min(
      limits.pythonRequestsPerSecond,
      parts.grant.requests_per_second ?? Number.POSITIVE_INFINITY,
    );
    const guard = new Guard(token, clock, { pythonRequestsPerSecond: perSecond });
    const listener = new PythonListener({ host, peerId, clock, limits, operations, guard, legacy: options.legacy });
    opened.use(listener);
    await listener.start();
  }
  await startHost(host, options.listen);
  const addresses = (): string[] => host.getMultiaddrs().map(String);
  const [multiaddr] = addresses();
  if (multiaddr !== undefined) {
    const file = join(dataFolder, 'python-announce.json');
    opened.defer(() => removeAnnouncement(file, peerId));
    await writeAnnouncement(file, { peer_id: peerId, multiaddr, multiaddrs: addresses() });
    log.info('Python nodes reach this node at {addresses}', { addresses: addresses() });
  }
  const using =
    options.peers.length === 0
      ? undefined
      : opened.use(
          await openPythonClient({
            ...{ places: options.peers, dataFolder, host, peerId, token, clock, limits },
            legacy: options.legacy,
          }),
        );
  const open = opened.move();
  const client = using?.client;
  const report = () => ({ python: { addresses: addresses(), nodes: client?.nodes.report() ?? [] } });
  return { client, report, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** A listener always has a token, on loopback too: every program of every user on the machine reaches loopback. */
async function tokenOf({ listen, tokenFile: named }: PythonOptions, dataFolder: string): Promise<string | undefined> {
  const guards = listen.length > 0;
  const own = join(dataFolder, 'python.token');
  const tokenFile = named ?? ((await readPrivateFile(own)) === undefined ? undefined : own);
  if (tokenFile !== undefined) return readToken(tokenFile, { guards });
  if (!guards) return undefined;
  throw new MeshError(
    'invalid_config',
    'A listener for Python nodes needs a token in the place of the mesh key. Make one (openssl rand -hex 32 > FILE), and name the file with --python-token-file.',
    { details: { setting: 'python-token-file' } },
  );
}

async function startHost(host: { start(): unknown }, listen: readonly string[]): Promise<void> {
  try {
    await host.start();
  } catch (cause) {
    const text = String((cause as Error).message);
    const inUse = /EADDRINUSE|AddrInUse|address already in use/i.test(text);
    throw new MeshError(
      inUse ? 'address_in_use' : 'invalid_multiaddr',
      `This machine cannot listen for Python nodes on ${listen.join(', ')}: ${inUse ? 'another program does' : text.split('\n')[0]}. Check --python-listen.`,
      { cause, details: { listen: [...listen] } },
    );
  }
}
