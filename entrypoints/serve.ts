/**
 * The service: settings -> mesh -> HTTP server, until a signal ends it. Both entrypoints and `taskmesh serve` run this.
 * Everything P2P starts and stops here, and nowhere else.
 */

import process from 'node:process';
import { getLogger } from '@logtape/logtape';
import { openMesh } from '../src/bridge/open-mesh.ts';
import type { PrintReady } from '../src/cli/cli-context.ts';
import type { Settings } from '../src/config/settings.ts';
import { configureLogs } from '../src/logs.ts';
import { runtime, version } from '../src/mesh/build.ts';
import { checked } from '../src/mesh/checked.ts';
import type { BridgeHealth } from '../src/mesh/health.ts';
import type { Mesh } from '../src/mesh/mesh.ts';
import { createApp } from '../src/server/app.ts';
import { type Listener, listen } from '../src/server/listen.ts';
import { nodeOptions } from './node-options.ts';
import { processOptions } from './process-options.ts';
import { takeNotices } from './ready-notice.ts';
import { onStopSignal } from './stop-signal.ts';

const log = getLogger(['taskmesh', 'service']);

/** How long calls in flight may go on after the first signal, in milliseconds. */
const graceMs = 1_000;

/** Runs until SIGINT or SIGTERM and answers the exit code. Rejects with a `MeshError` when it cannot start. */
export async function serve(settings: Settings, print: PrintReady): Promise<number> {
  await configureLogs(settings.logLevel);
  const notices = takeNotices(process.env);
  const ended = Promise.withResolvers<number>();

  const mesh = await openMesh({
    layout: settings.layout,
    node: nodeOptions(settings),
    logLevel: settings.logLevel,
    process: processOptions(settings),
    onDown(cause) {
      log.fatal(
        'The P2P side ended too often: {cause}. The service stops, so that whoever supervises it starts it anew.',
        {
          cause,
        },
      );
      ended.resolve(1);
    },
  });
  const unhook = onStopSignal(() => ended.resolve(0));
  let listener: Listener | undefined;
  try {
    const started = mesh.start();
    // A signal ends the start too: a P2P service may be waited for that nobody has started.
    if ((await Promise.race([started, ended.promise])) !== undefined) {
      started.catch(() => {});
      return await ended.promise;
    }
    const face = checked(mesh);
    const app = createApp(face, {
      version,
      allowedHosts: settings.allowedHosts,
      allowedOrigins: settings.allowedOrigins,
      ready: () => readiness(mesh.health()),
      health: () => mesh.health(),
    });
    listener = await listen(app, { host: settings.host, port: settings.port });
    await tellReady(face, settings, listener.url, print);
    await notices.ready();
    return await ended.promise;
  } finally {
    const told = notices.stopping();
    await listener?.close({ graceMs });
    await mesh.stop();
    await told;
    unhook();
  }
}

function readiness({ state, last_error }: BridgeHealth): { ready: boolean; reason?: string } {
  if (state === 'up') return { ready: true };
  return { ready: false, reason: `the P2P side is ${state}${last_error === null ? '' : ` (${last_error})`}` };
}

async function tellReady(mesh: Mesh, settings: Settings, url: string, print: PrintReady): Promise<void> {
  const { peer_id, addresses } = await mesh.call('status', {});
  const text = [
    `taskmesh ${version} on ${runtime.name} ${runtime.version}, layout ${settings.layout}`,
    '',
    `  MCP        ${url}`,
    `  peer id    ${peer_id}`,
    ...addresses.map((address, index) => `  ${index === 0 ? 'addresses' : '         '}  ${address}`),
    `  data       ${settings.data}`,
    '',
    'Add it to an MCP client:',
    `  claude mcp add --transport http taskmesh ${url}`,
    `  or in a JSON config:  { "mcpServers": { "taskmesh": { "type": "http", "url": "${url}" } } }`,
    '',
    'Ctrl-C stops it.',
    '',
  ].join('\n');
  print(text, { url, peer_id, addresses, data: settings.data });
}
