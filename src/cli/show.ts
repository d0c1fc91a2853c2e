/** What each operation answers, for people. */

import type { OperationName, OperationOutput } from '../mesh/operations.ts';
import { printable, type Style } from './style.ts';
import { block, duration, outline, table, valueText } from './table.ts';
import { taskBlock, taskTable } from './task-view.ts';

interface Show {
  readonly style: Style;
  /** Now, in epoch seconds. */
  readonly nowS: number;
}

type Shows = { [Name in OperationName]?: (output: OperationOutput<Name>, show: Show) => string };

const shows: Shows = {
  status: (output) =>
    block([
      [
        'node',
        `taskmesh ${output.version} on ${output.runtime.name} ${output.runtime.version}, layout ${output.layout}`,
      ],
      ['peer id', output.peer_id],
      ['addresses', output.addresses.join('\n')],
      ['P2P side', bridgeText(output.bridge)],
      ['up for', duration(output.uptime_s)],
      ['peers', `${output.connected_peers} connected`],
      ['reachable', reachabilityText(output.reachability)],
      [
        'tasks',
        Object.entries(output.queue)
          .map(([status, count]) => `${count} ${status}`)
          .join(', '),
      ],
      ['working on', printable(output.capabilities.task_types.join(', '))],
      ['tools', printable(output.capabilities.tools.join(', '))],
      ['detail', outline(output.detail)],
    ]),
  claim: ({ task, refused = [] }, { style, nowS }) =>
    task === null
      ? ['There is nothing to do.', ...refused.map(({ message }) => printable(message))].join('\n')
      : `${taskBlock(task, style, nowS)}\n${block([
          ['payload', valueText(task.payload)],
          ['fence', `${task.fence}`],
          ['lease', `${task.lease_s} s`],
        ])}`,
  get: ({ task }, { style, nowS }) =>
    `${taskBlock(task, style, nowS)}\n${block([['payload', valueText(task.payload) ?? 'null']])}`,
  wait: ({ task }, { style, nowS }) => taskBlock(task, style, nowS),
  list: ({ tasks, cursor }, { style, nowS }) => {
    if (tasks.length === 0) return 'There are no such tasks.';
    return `${taskTable(tasks, style, nowS)}${cursor === null ? '' : `\nThere are more: --cursor ${cursor}`}`;
  },
  peers: ({ peers }) => {
    if (peers.length === 0) return 'No other node is known. "taskmesh discover" looks for some.';
    return table(
      ['PEER', 'CONNECTED', 'LATENCY', 'FOUND BY', 'AGENT', 'ADDRESS, OR WHY NOT'],
      peers.map((peer) => [
        peer.peer_id || '-',
        peer.connected ? (peer.direction ?? 'yes') : 'no',
        peer.latency_ms === null ? '-' : `${peer.latency_ms.toFixed(1)} ms`,
        peer.found_by.join(', ') || '-',
        printable(peer.agent ?? '-'),
        printable(`${peer.addresses[0] ?? '-'} ${peer.error}`.trim()),
      ]),
    );
  },
  discover: ({ peers, attempts }, { style }) => {
    const summary = `${peers.length} ${peers.length === 1 ? 'peer' : 'peers'} connected.`;
    const rows = attempts.map((attempt) => [
      attempt.method,
      attempt.outcome === 'failed' ? style.error('failed') : attempt.outcome,
      attempt.outcome === 'connected' || attempt.outcome === 'failed' ? `${Math.round(attempt.duration_ms)} ms` : '-',
      attempt.peer_id || '-',
      printable(attempt.ok ? attempt.multiaddr : `${attempt.multiaddr} ${attempt.error}`.trim()),
    ]);
    return `${table(['METHOD', 'OUTCOME', 'TIME', 'PEER', 'ADDRESS, OR WHY NOT'], rows)}\n${summary}`;
  },
  mcp_request: ({ result }) => valueText(result) ?? 'null',
  call_tool: ({ result }) => valueText(result) ?? 'null',
  cache_get: ({ hit, value }) => (hit ? (valueText(value) ?? 'null') : 'There is nothing under this key.'),
  cache_has: ({ hit }) => (hit ? 'yes' : 'no'),
  submit_many: ({ tasks }, { style }) =>
    table(
      ['STATUS', 'TASK'],
      tasks.map((task) => [style.status(task.status), task.task_id]),
    ),
};

/** The output as text; those that have no view of their own as a block of their fields. */
export function show(operation: OperationName, output: object, context: Show): string {
  const own = shows[operation] as ((output: object, context: Show) => string) | undefined;
  if (own !== undefined) return own(output, context);
  return block(Object.entries(output).map(([name, value]) => fieldLine(name, value, context.nowS)));
}

/** Times and durations as people read them. */
function fieldLine(name: string, value: unknown, nowS: number): readonly [string, string | undefined] {
  const words = (ending: string): string => name.slice(0, name.length - ending.length).replaceAll('_', ' ');
  if (typeof value === 'number') {
    if (name.endsWith('_ms')) return [words('_ms'), `${Math.round(value)} ms`];
    if (name.endsWith('_until')) return [words(''), `in ${duration(Math.max(0, value - nowS))}`];
    if (name.endsWith('_s')) return [words('_s'), duration(value)];
  }
  return [words(''), valueText(value)];
}

const natTexts: Readonly<Record<NonNullable<OperationOutput<'status'>['reachability']>['nat'], string>> = {
  none: 'by nobody: the node does not listen',
  loopback: 'from this machine',
  private: 'from its own network',
  relayed: 'by way of a relay',
  unknown: 'not known: it listens on a public address, and not enough peers have tried it',
  public: 'from everywhere',
  unreachable: 'not at its public address: peers could not dial it',
};

function reachabilityText(reachability: OperationOutput<'status'>['reachability']): string | undefined {
  if (reachability === undefined) return undefined;
  const { nat, relays, relay, relayed_connections: relayed } = reachability;
  return [
    natTexts[nat],
    ...relays.map(
      ({ peer_id, reserved, error }) => `relay ${peer_id}: ${reserved ? 'has a place for it' : printable(error)}`,
    ),
    ...(relay === null ? [] : [`is a relay: ${relay.reservations} of ${relay.max_reservations} places given`]),
    ...(relayed === 0 ? [] : [`${relayed} of its connections go by way of a relay`]),
  ].join('\n');
}

/** Undefined where all is as it should be. */
function bridgeText(bridge: OperationOutput<'status'>['bridge']): string | undefined {
  if (bridge === undefined || (bridge.state === 'up' && bridge.restarts === 0)) return undefined;
  const restarts =
    bridge.restarts === 0 ? [] : [`restarted ${bridge.restarts === 1 ? 'once' : `${bridge.restarts} times`}`];
  const reason = bridge.last_error === null ? [] : [`last error: ${printable(bridge.last_error)}`];
  return [bridge.state, ...restarts, ...reason].join(', ');
}
