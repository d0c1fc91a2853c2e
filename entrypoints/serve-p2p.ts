/** The P2P service of `taskmesh p2p`: a node that servers share, until a signal ends it. */

import process from 'node:process';
import { openService } from '../src/bridge/open-service.ts';
import type { PrintReady } from '../src/cli/cli-context.ts';
import type { Settings } from '../src/config/settings.ts';
import { configureLogs } from '../src/logs.ts';
import { runtime, version } from '../src/mesh/build.ts';
import { formatRpcAddress, parseRpcAddress } from '../src/mesh/rpc-address.ts';
import { nodeOptions } from './node-options.ts';
import { takeNotices } from './ready-notice.ts';
import { onStopSignal } from './stop-signal.ts';

type Service = Awaited<ReturnType<typeof openService>>;

/** Runs until SIGINT or SIGTERM and answers the exit code. Rejects with a `MeshError` when it cannot start. */
export async function serveP2p(settings: Settings, print: PrintReady): Promise<number> {
  await configureLogs(settings.logLevel);
  const notices = takeNotices(process.env);
  const ended = Promise.withResolvers<number>();
  const unhook = onStopSignal(() => ended.resolve(0));
  try {
    const service = await openService({
      node: { ...nodeOptions(settings), layout: 'process' },
      rpc: settings.rpcListen.map(parseRpcAddress).filter((address) => address !== undefined),
    });
    try {
      await tellReady(service, settings, print);
      await notices.ready();
      return await ended.promise;
    } finally {
      await Promise.all([notices.stopping(), service.stop()]);
    }
  } finally {
    unhook();
  }
}

async function tellReady(service: Service, settings: Settings, print: PrintReady): Promise<void> {
  const { peer_id, addresses } = await service.mesh.call('status', {});
  const rpc = service.rpc.map(formatRpcAddress);
  const http = rpc.find((address) => address.startsWith('http:'));
  const tokenFlag = rpc[0] === http ? ` --p2p-token-file ${service.tokenFile}` : '';
  const text = [
    `taskmesh ${version} on ${runtime.name} ${runtime.version}, P2P service`,
    '',
    ...rpc.map((address, index) => `  ${index === 0 ? 'servers   ' : '          '} ${address}`),
    `  peer id    ${peer_id}`,
    ...addresses.map((address, index) => `  ${index === 0 ? 'addresses' : '         '}  ${address}`),
    `  data       ${settings.data}`,
    '',
    'Put a server in front of it:',
    `  taskmesh serve --p2p-service ${rpc[0]}${tokenFlag}`,
    ...(http === undefined
      ? []
      : [
          'Or ask it by hand:',
          `  curl -H "Authorization: Bearer $(cat ${service.tokenFile})" -d '{}' ${http}/rpc/status`,
        ]),
    '',
    'Ctrl-C stops it.',
    '',
  ].join('\n');
  print(text, { rpc, token_file: service.tokenFile, peer_id, addresses, data: settings.data });
}
