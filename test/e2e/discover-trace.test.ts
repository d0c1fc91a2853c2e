/**
 * Every case of finding and dialling, asked twice of the same node: with the command line and with the MCP tools. What both tell
 * has to be the same, apart from the time that it took.
 */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { connectClient } from '../server/clients.ts';
import { type RuntimeName, type Service, startService } from '../support/service.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

type Answer = Record<string, unknown>;

const commandLine = fileURLToPath(new URL('../../entrypoints/cli.ts', import.meta.url));
const flags = 'Deno' in globalThis ? ['run', '-A'] : [];

/** The command's one JSON object; a failure is one too. */
function cli(service: Service, ...args: string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const line = [...flags, commandLine, ...args, '--json', '--url', service.url];
    execFile(process.execPath, line, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout || stderr));
      } catch {
        reject(new Error(`not JSON: ${stdout}${stderr}`));
      }
    });
  });
}

async function mcp(service: Service, tool: string, input: Answer): Promise<Answer> {
  const client = await connectClient('current SDK', service.url);
  try {
    return (await client.call(tool, input)).structuredContent ?? {};
  } finally {
    await client.close();
  }
}

/** Without what differs from one time to the next. */
function comparable(answer: Answer): unknown {
  return JSON.parse(JSON.stringify(answer, (key, value) => (key === 'duration_ms' ? undefined : value)));
}

interface Case {
  name: string;
  command: string[];
  tool: string;
  input: Answer;
}

/** A peer id of nobody. */
const nobody = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';

function cases(b: Service, relay: Service): Case[] {
  const tcp = b.addresses.find((address) => !address.includes('/ws/')) ?? '';
  const ws = b.addresses.find((address) => address.includes('/ws/')) ?? '';
  const relayAddress = relay.addresses.find((address) => !address.includes('/ws/')) ?? '';
  const discover = (name: string, address?: string): Case => ({
    name: `discover ${name}`,
    command: ['discover', ...(address === undefined ? [] : [address])],
    tool: 'discover_peers',
    input: address === undefined ? {} : { remote_multiaddr: address },
  });
  const connect = (name: string, target: string): Case => ({
    name: `connect ${name}`,
    command: ['connect', target],
    tool: 'connect_peer',
    input: target.startsWith('/') ? { remote_multiaddr: target } : { remote_peer_id: target },
  });
  return [
    discover('by every way'),
    discover('an address', tcp),
    discover('an address over WebSockets', ws),
    discover('an address where nobody listens', `/ip4/127.0.0.1/tcp/9/p2p/${nobody}`),
    discover('somebody else’s address', tcp.replace(b.peerId, nobody)),
    discover('a way over a relay to somebody without a place', `${relayAddress}/p2p-circuit/p2p/${nobody}`),
    discover('what is no address', 'nonsense'),
    connect('by address', tcp),
    connect('by peer id', b.peerId),
    connect('to nobody', nobody),
    connect('where nobody listens', `/ip4/127.0.0.1/tcp/9/p2p/${nobody}`),
    connect('over QUIC', `/ip4/127.0.0.1/udp/9/quic-v1/p2p/${nobody}`),
  ];
}

interface Scene {
  folder: TempFolder;
  relay: Service;
  b: Service;
  services: Record<RuntimeName, Service>;
}

const traces = suite<Scene>('the same trace by command line and MCP');

traces.before(async (scene) => {
  scene.folder = await tempFolder();
  const data = (name: string): string => join(scene.folder.path, name);
  const start = (runtime: RuntimeName, name: string, more: string[]): Promise<Service> =>
    startService({ runtime, data: data(name), layout: 'inline', flags: ['--no-mdns', ...more] });
  await writeFile(data('damaged.json'), '{"peer_id":');
  scene.relay = await start('node', 'relay', ['--relay', '--dht']);
  const relayFile = join(data('relay'), 'announce.json');
  scene.b = await start('deno', 'b', ['--bootstrap', relayFile, '--dht']);
  const places = [relayFile, data('missing.json'), data('damaged.json'), `/ip4/127.0.0.1/tcp/9/p2p/${nobody}`];
  const more = [...places.flatMap((place) => ['--bootstrap', place]), '--dht'];
  scene.services = { node: await start('node', 'by-node', more), deno: await start('deno', 'by-deno', more) };
  // Everybody has met everybody, by the DHT too, which learns of them last: what follows changes nothing any more.
  for (const service of Object.values(scene.services)) {
    for (let met = 0; met < 3; ) {
      const { attempts } = await mcp(service, 'discover_peers', {});
      met = (attempts as { method: string; ok: boolean }[]).filter(({ method, ok }) => method === 'dht' && ok).length;
    }
  }
});

traces.after(async ({ relay, b, services, folder }) => {
  for (const service of [relay, b, ...Object.values(services)]) await service.stop();
  await folder.remove();
});

for (const runtime of ['node', 'deno'] as const) {
  traces(`each case of finding and dialling is told alike (service on ${runtime})`, async ({ services, b, relay }) => {
    for (const { name, command, tool, input } of cases(b, relay)) {
      const byTool = comparable(await mcp(services[runtime], tool, input)) as Answer;
      const byCommand = comparable(await cli(services[runtime], ...command)) as Answer;
      assert.equal(sorted(byCommand), sorted(byTool), name);
      const attempts = (byTool.attempts ?? []) as { method: string }[];
      const methods = [...new Set(attempts.map(({ method }) => method))];
      const order = ['explicit', 'announce_file', 'bootstrap', 'mdns', 'dht', 'peer_exchange', 'peer_store'];
      if (tool === 'discover_peers' && byTool.ok === true) assert.equal(methods, order, name);
    }
  });
}

/** Of one way, whoever answered first comes first: that is chance. */
function sorted(answer: Answer): Answer {
  const text = (value: unknown): string => JSON.stringify(value);
  const sortBy = (key: string): Answer =>
    Array.isArray(answer[key])
      ? { [key]: [...(answer[key] as unknown[])].sort((x, y) => (text(x) < text(y) ? -1 : 1)) }
      : {};
  return { ...answer, ...sortBy('peers'), ...sortBy('attempts') };
}

traces.run();
