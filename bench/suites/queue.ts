/** Our queue beside those that one might have used, all of them durable; and how ours grows. */

import { versionOfPackage } from '../queue-peers/load-package.ts';
import { type Server, startPostgres, startRedis } from '../queue-peers/servers.ts';
import type { PeerName, QueueParams, QueueTask } from '../subjects/queue.ts';
import type { Cell, Labels, Mode, RuntimeName, Suite } from '../suite.ts';

const file = new URL('../subjects/queue.ts', import.meta.url);

interface Peer {
  name: PeerName;
  server: 'redis' | 'postgres';
}

const peers: readonly Peer[] = [
  { name: 'bullmq', server: 'redis' },
  { name: 'graphile-worker', server: 'postgres' },
  { name: 'pg-boss', server: 'postgres' },
];

const starters = { redis: startRedis, postgres: startPostgres } as const;
const howToInstall = 'It is not installed: npm install --prefix bench/queue-peers';

/** What everything is measured with, unless a cell varies it. */
const base = { backlog: 1_000, payload_bytes: 256 } as const;

interface Growth {
  in_flight: readonly number[];
  backlog: readonly number[];
  payload_bytes: readonly number[];
}

/** How ours grows: what is varied beside the base. */
const growth: Readonly<Record<Mode, Growth>> = {
  full: { in_flight: [8, 256], backlog: [10_000, 50_000], payload_bytes: [4_096, 65_536] },
  quick: { in_flight: [], backlog: [10_000], payload_bytes: [] },
  smoke: { in_flight: [], backlog: [], payload_bytes: [] },
};

const inFlights = [1, 64] as const;

const labelsOf = (
  system: string,
  runtime: RuntimeName,
  task: QueueTask,
  changed: Partial<typeof base> = {},
): Labels => ({
  system,
  runtime,
  what: task.what,
  in_flight: task.inFlight,
  ...base,
  ...changed,
});

const open: Server[] = [];

/** Starts what the installed peers need; answers the servers, and what could not be had. */
async function startServers(folder: string) {
  const leftOut: { what: string; why: string }[] = [];
  const running = new Map<Peer['server'], Server>();
  const installed = peers.filter(({ name }) => versionOfPackage(name) !== undefined);
  for (const { name } of peers)
    if (versionOfPackage(name) === undefined) leftOut.push({ what: name, why: howToInstall });
  const wanted = [...new Set(installed.map(({ server }) => server))];
  const started = await Promise.allSettled(wanted.map((server) => starters[server](folder)));
  for (const [index, result] of started.entries()) {
    const server = wanted[index];
    if (server === undefined) continue;
    if (result.status === 'fulfilled') {
      open.push(result.value);
      running.set(server, result.value);
      continue;
    }
    for (const peer of installed)
      if (peer.server === server) leftOut.push({ what: peer.name, why: (result.reason as Error).message });
  }
  return { running, leftOut };
}

export const queue: Suite = {
  name: 'queue',
  title: 'The queue',
  question:
    'How many tasks a second does our queue accept, and hand out and complete, beside BullMQ, graphile-worker and pg-boss, all of them durable? And how does that change with backlog, workers and payload?',
  budgetMs: { full: 170_000, quick: 16_000, smoke: 25_000 },
  async plan({ runtimes, mode, folder }) {
    const { running, leftOut } = await startServers(folder);
    const roundMs = { full: 400, quick: 100, smoke: 30 }[mode];
    const cellOf = (
      labels: Labels,
      runtime: RuntimeName,
      params: QueueParams,
      task: QueueTask,
      block: string,
    ): Cell => ({
      labels,
      subject: { runtime, file, params: { ...params } },
      task: { ...task },
      roundMs,
      // A fresh process finds its pace after some thousand tasks only.
      warmUpMs: 3 * roundMs,
      block,
    });
    const own = (
      runtime: RuntimeName,
      task: QueueTask,
      changed: { backlog?: number; payload_bytes?: number } = {},
    ): Cell => {
      const { backlog, payload_bytes: payloadBytes } = { ...base, ...changed };
      const params: QueueParams = { system: 'taskmesh', folder, backlog, payloadBytes };
      const labels = { ...labelsOf('taskmesh', runtime, task), ...changed };
      return cellOf(labels, runtime, params, task, Object.keys(changed).length === 0 ? 'beside peers' : 'growth');
    };
    const tasks = (['submit', 'work'] as const).flatMap((what) =>
      inFlights.map((inFlight): QueueTask => ({ what, inFlight })),
    );
    const { backlog, payload_bytes: payloadBytes } = base;
    const cells = [
      ...runtimes.flatMap((runtime) => [
        ...tasks.map((task) => own(runtime, task)),
        ...growth[mode].in_flight.map((inFlight) => own(runtime, { what: 'work', inFlight })),
        ...growth[mode].backlog.map((many) => own(runtime, { what: 'work', inFlight: 64 }, { backlog: many })),
        ...growth[mode].payload_bytes.map((bytes) =>
          own(runtime, { what: 'work', inFlight: 64 }, { payload_bytes: bytes }),
        ),
      ]),
      // Programs for Node, and measured there.
      ...peers.flatMap(({ name, server }) => {
        const url = running.get(server)?.url;
        if (url === undefined) return [];
        const params: QueueParams = { system: name, folder, url, backlog, payloadBytes };
        return tasks.map((task) => cellOf(labelsOf(name, 'node', task), 'node', params, task, 'beside peers'));
      }),
    ];
    const there = peers.filter(({ server }) => running.has(server));
    return {
      metrics: {
        work: { title: 'Tasks claimed and completed', unit: 'tasks/s', better: 'more' },
        submit: { title: 'Tasks accepted', unit: 'tasks/s', better: 'more' },
      },
      cells,
      ...{ full: { processes: 1, rounds: 4 }, quick: { processes: 1, rounds: 3 }, smoke: { processes: 1, rounds: 1 } }[
        mode
      ],
      leftOut,
      ...(runtimes.includes('node') && mode === 'full'
        ? { noiseOf: labelsOf('taskmesh', 'node', { what: 'work', inFlight: 64 }) }
        : {}),
      comparisons: runtimes.includes('node')
        ? (['work', 'submit'] as const).map((what) => ({
            title: what === 'work' ? 'Tasks worked on: ours beside each peer' : 'Tasks accepted: ours beside each peer',
            metric: what,
            figure: 'value' as const,
            pairs: there.flatMap(({ name }) =>
              inFlights.map((inFlight) => ({
                label: `taskmesh ÷ ${name}, ${inFlight} at a time`,
                of: labelsOf('taskmesh', 'node', { what, inFlight }),
                to: labelsOf(name, 'node', { what, inFlight }),
              })),
            ),
          }))
        : [],
      plots: [
        ...(['work', 'submit'] as const).map((what) => ({
          kind: 'bars' as const,
          title: what === 'work' ? 'Tasks claimed and completed a second' : 'Tasks accepted a second',
          question: 'How does our queue stand beside its peers, all durable?',
          where: { ...base, what, in_flight: inFlights, runtime: 'node' },
          metrics: [what],
          figure: 'value' as const,
          x: 'system',
          panel: 'in_flight',
          logY: true,
        })),
        ...(['in_flight', 'backlog', 'payload_bytes'] as const)
          .filter((varied) => growth[mode][varied].length > 0)
          .map((varied) => {
            const { [varied]: _, ...fixed } = { in_flight: 64, ...base };
            return {
              kind: 'lines' as const,
              title: `Tasks claimed and completed a second by ${{ in_flight: 'workers', backlog: 'backlog', payload_bytes: 'payload' }[varied]}`,
              question: 'How does our queue grow?',
              where: { ...fixed, system: 'taskmesh', what: 'work' },
              metrics: ['work'],
              figure: 'value' as const,
              x: varied,
              series: 'runtime',
              logX: true,
            };
          }),
      ],
      findings: () => [
        {
          kind: 'finding',
          text: `Ours runs in the process that uses it, the peers' servers (${[...running.values()].map(({ version }) => version).join(', ') || 'none here'}) in processes of their own: they pay for a wire that serves many machines at once, and have processors that ours has not. Ours pays for its wire where other nodes claim from it; that is in “The tool call” and “The wire”.`,
        },
      ],
    };
  },
  async close() {
    await Promise.all(open.splice(0).map((server) => server[Symbol.asyncDispose]()));
  },
};
