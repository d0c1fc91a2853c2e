/**
 * A few hosts on this machine: a network namespace each, joined to segments (a bridge in a namespace of its own) by veth pairs,
 * so that nothing of it is seen from outside. Used by the tests in this folder; needs Linux, root and `ip`.
 *
 * Promises: names are new for each lab; everything is gone at the end, and what an earlier run left behind because it was
 * killed is removed by the next one. Hosts have routes to their own segments and to nothing else.
 */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import process from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** In front of the names of all namespaces; then the process id, a random part, and what it is. */
const prefix = 'tmlab';

async function ip(...args: string[]): Promise<string> {
  return (await run('ip', args)).stdout;
}

export interface Host {
  readonly name: string;
  readonly namespace: string;
  /** Its IPv4 address in the segment; without a name, in its first one. */
  address(segment?: string): string;
  /** Words in front of a command that is to run on this host. */
  readonly inFront: readonly string[];
  /** Pulls the cable out of the switch: addresses and routes stay, packets are lost, nobody is told. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** Loses everything that this host sends to the other one; what the other one sends arrives. */
  dropTo(other: Host): Promise<void>;
  /** Ends `dropTo`. */
  reach(other: Host): Promise<void>;
}

export interface Lab<Name extends string> extends AsyncDisposable {
  readonly hosts: Readonly<Record<Name, Host>>;
}

/** Why there can be no lab on this machine; undefined when there can be. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `network namespaces are Linux’s, this is ${process.platform}`;
  try {
    await using _ = await openLab({ probe: ['probe'] });
    return undefined;
  } catch (error) {
    const why = String((error as { stderr?: string }).stderr || (error as Error).message);
    return why.trim().split('\n')[0];
  }
}

/** Private addresses; and public ones, which mean somebody else outside of the lab. The third number is the segment's, the fourth the host's. */
const networks = { private: '10.77', public: '81.77' } as const;

/** Makes hosts from their names and the segments that each is plugged into. */
export async function openLab<Name extends string>(
  plan: Record<Name, readonly string[]>,
  network: keyof typeof networks = 'private',
): Promise<Lab<Name>> {
  await removeLeftovers();
  const own = `${prefix}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const made: string[] = [];
  const remove = async (): Promise<void> => {
    for (const namespace of made.splice(0)) await ip('netns', 'del', namespace);
  };
  const namespaceOf = async (what: string): Promise<string> => {
    const namespace = `${own}-${what}`;
    await ip('netns', 'add', namespace);
    made.push(namespace);
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    return namespace;
  };
  try {
    const names = Object.keys(plan) as Name[];
    const segments = [...new Set(Object.values<readonly string[]>(plan).flat())];
    const switches = new Map<string, string>();
    for (const segment of segments) {
      const namespace = await namespaceOf(`switch-${segment}`);
      // Without snooping it floods multicast, as a cheap switch does.
      await ip('-n', namespace, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
      await ip('-n', namespace, 'link', 'set', 'br0', 'up');
      switches.set(segment, namespace);
    }
    const hosts = {} as Record<Name, Host>;
    for (const [index, name] of names.entries()) {
      const namespace = await namespaceOf(name);
      const ports: Port[] = [];
      for (const segment of plan[name]) {
        const port = {
          segment,
          switchNamespace: switches.get(segment) ?? '',
          switchPort: `p${index}`,
          hostPort: `eth${ports.length}`,
          address: `${networks[network]}.${segments.indexOf(segment) + 1}.${index + 1}`,
        };
        await plugIn(namespace, port);
        ports.push(port);
      }
      // As a home's or an office's hosts have by their default route: multicast goes out somewhere.
      await ip('-n', namespace, 'route', 'add', '224.0.0.0/4', 'dev', 'eth0');
      hosts[name] = hostOf(name, namespace, ports);
    }
    return { hosts, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Port {
  readonly segment: string;
  readonly switchNamespace: string;
  readonly switchPort: string;
  readonly hostPort: string;
  readonly address: string;
}

async function plugIn(namespace: string, { switchNamespace, switchPort, hostPort, address }: Port): Promise<void> {
  await ip(
    ...['link', 'add', 'name', hostPort, 'netns', namespace, 'type', 'veth'],
    ...['peer', 'name', switchPort, 'netns', switchNamespace],
  );
  await ip('-n', switchNamespace, 'link', 'set', switchPort, 'master', 'br0', 'up');
  await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', hostPort);
  await ip('-n', namespace, 'link', 'set', hostPort, 'up');
}

function hostOf(name: string, namespace: string, ports: readonly Port[]): Host {
  const turn = async (state: 'up' | 'down'): Promise<void> => {
    for (const { switchNamespace, switchPort } of ports)
      await ip('-n', switchNamespace, 'link', 'set', switchPort, state);
  };
  return {
    name,
    namespace,
    address(segment) {
      const port = segment === undefined ? ports[0] : ports.find((one) => one.segment === segment);
      if (port === undefined) throw new Error(`${name} is not in the segment ${segment}`);
      return port.address;
    },
    inFront: ['ip', 'netns', 'exec', namespace],
    unplug: () => turn('down'),
    plug: () => turn('up'),
    dropTo: async (other) => void (await ip('-n', namespace, 'route', 'add', 'blackhole', `${other.address()}/32`)),
    reach: async (other) => void (await ip('-n', namespace, 'route', 'del', 'blackhole', `${other.address()}/32`)),
  };
}

/** Namespaces of runs whose process is gone: it was killed before it could remove them. */
async function removeLeftovers(): Promise<void> {
  const namespaces = await readdir('/run/netns').catch(() => []);
  for (const namespace of namespaces) {
    const [first, pid] = namespace.split('-');
    if (first === prefix && !isAlive(Number(pid))) await ip('netns', 'del', namespace).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
