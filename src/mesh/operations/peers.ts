/** The operations on nodes: status, who is there, how to get to them, and their tools. */

import { z } from 'zod';
import { bridgeHealth } from '../health.ts';
import { operation, seconds, target, targetByPeerId } from '../operation.ts';

/** What an operation that ends at its own time limit gets on top, so that its own answer arrives and not a bare timeout. */
const answerMs = 1_000;

/** Words for how others can get to a node; `docs/networking.md` says more of each. */
const natVerdicts = ['none', 'loopback', 'private', 'relayed', 'unknown', 'public', 'unreachable'] as const;

const reachability = z.object({
  nat: z
    .enum(natVerdicts)
    .describe(
      'Who can dial the node: none (it does not listen), loopback (this machine), private (its own network), relayed (by way of a relay), public (peers have dialled it, or it is announced), unreachable (it listens on a public address and peers could not dial it), unknown (not enough peers have tried).',
    ),
  direct_connections: z.int(),
  relayed_connections: z.int().describe('Connections that another node carries.'),
  relays: z
    .array(
      z.object({
        peer_id: z.string(),
        reserved: z.boolean().describe('Whether the node can be reached by way of this relay.'),
        expires_at: z.number().nullable().describe('Epoch seconds; renewed before.'),
        error: z.string().describe('Empty when reserved.'),
      }),
    )
    .describe('The relays that the node is configured to use.'),
  relay: z
    .object({ reservations: z.int(), max_reservations: z.int() })
    .nullable()
    .describe('Places that the node has given as a relay; null: it is none.'),
});

const counts = z.object({
  queued: z.int(),
  running: z.int(),
  completed: z.int(),
  failed: z.int(),
  cancelled: z.int(),
});

export const status = operation({
  tool: 'p2p_taskqueue_status',
  title: 'Node status',
  summary: 'Show a node: runtime, layout, versions, peer id, addresses, queue.',
  description:
    'Answers what the node is (runtime, layout, version, peer id, addresses) and how many tasks are in which state. detail adds task types, limits and load.',
  input: z.strictObject({
    detail: z.boolean().default(false),
    timeout_s: seconds(600, 0.1).default(10).describe('How long the answer may take.'),
    ...targetByPeerId,
  }),
  output: z.object({
    peer_id: z.string(),
    version: z.string().describe('taskmesh’s own version.'),
    runtime: z.object({ name: z.string(), version: z.string() }),
    layout: z.string().describe('Where the P2P node runs: inline, worker, process.'),
    addresses: z.array(z.string()).describe('Multiaddrs at which the node listens.'),
    bridge: bridgeHealth
      .optional()
      .describe('How the P2P side of the asked program is. Only a node’s own answer has it.'),
    uptime_s: z.number(),
    connected_peers: z.int(),
    reachability: reachability.optional().describe('How others get to the node.'),
    queue: counts,
    capabilities: z.object({
      task_types: z.array(z.string()).describe('Types that workers of this node are waiting for right now.'),
      tools: z.array(z.string()).describe('Tools that call_tool can call here.'),
    }),
    detail: z
      .object({
        protocols: z.array(z.string()),
        waiters: z.int().describe('Claims and waits that are waiting.'),
        stored_bytes: z.int(),
        cache: z.object({ entries: z.int(), bytes: z.int() }),
        limits: z.record(z.string(), z.number()),
        peers: z
          .array(
            z.object({
              peer_id: z.string(),
              label: z.string(),
              served_by: z.string().describe('list, introduction, open door; or why it is not served.'),
              connections: z.int(),
              streams: z.int().describe('Streams of the carriage.'),
              in_flight: z.int().describe('Requests of the peer that are being worked on.'),
              requests: z.int().describe('Since it connected; so are frames and bytes.'),
              frames: z.int(),
              bytes: z.int(),
            }),
          )
          .optional()
          .describe('What each connected peer uses. Only the node’s own callers are told.'),
        trust: z
          .object({
            listed: z.int(),
            revoked: z.int(),
            introduced: z.int(),
            tickets: z.int(),
            on_porch: z.int().describe('Connections of peers that are not served.'),
            in_flight: z.int().describe('Requests of all peers that are being worked on.'),
            refusals: z.record(z.string(), z.int()).describe('What was refused since the start, by cause.'),
            latest_refusals: z.array(
              z.object({ peer_id: z.string(), cause: z.string(), count: z.int(), last_at: z.number() }),
            ),
          })
          .optional()
          .describe('Only the node’s own callers are told.'),
        python: z
          .object({
            addresses: z.array(z.string()).describe('Where Python nodes reach this one.'),
            nodes: z
              .array(
                z.object({
                  place: z.string().describe('As it is configured.'),
                  peer_id: z.string().describe('Empty: not met yet.'),
                  connected: z.boolean(),
                  error: z.string().describe('Why it could not be used the last time; empty when it could.'),
                }),
              )
              .describe('Python nodes that this node uses.'),
          })
          .optional()
          .describe('Where Python nodes are spoken to. Only the node’s own callers are told.'),
      })
      .optional(),
  }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'queue:read',
  remote: true,
  deadlineMs: (input) => input.timeout_s * 1000,
});

/** The ways in which a node hears of others, in the order in which `discover` tells of them. */
export const discoveryMethods = [
  'explicit',
  'announce_file',
  'bootstrap',
  'mdns',
  'dht',
  'peer_exchange',
  'peer_store',
  'python',
] as const;

/** How one attempt ended; `nothing`: the method named nobody; `off`: it is not used here. `error` says why. */
const outcomes = ['connected', 'failed', 'nothing', 'off'] as const;

const peer = z.object({
  peer_id: z.string().describe('Empty: a Python node that was not met yet.'),
  protocol: z.enum(['mesh', 'python']).describe('What is spoken with it: python is a node of the Python system.'),
  connected: z.boolean(),
  direction: z.enum(['inbound', 'outbound']).nullable(),
  addresses: z
    .array(z.string())
    .describe('Multiaddrs at which the peer can be dialled, as far as known; the one in use first.'),
  agent: z.string().nullable().describe('Program and version, as the peer says itself.'),
  latency_ms: z.number().nullable().describe('Last measured round trip.'),
  found_by: z.array(z.string()).describe('How this node heard of the peer.'),
  error: z
    .string()
    .describe('Why a Python node could not be used the last time; empty when it could, and for peers of the mesh.'),
});

export const peers = operation({
  tool: 'list_peers',
  title: 'List peers',
  summary: 'List the nodes that this node knows, connected ones first.',
  description:
    'Lists the peers that this node is connected to or has heard of, and the Python nodes that it is configured to use. Use a peer_id from here as remote_peer_id of other tools.',
  input: z.strictObject({ connected_only: z.boolean().default(false), limit: z.int().min(1).max(1000).default(100) }),
  output: z.object({ peer_id: z.string().describe('This node’s own.'), peers: z.array(peer) }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'peers:read',
  remote: false,
});

export const discover = operation({
  tool: 'discover_peers',
  title: 'Discover peers',
  summary: 'Look for nodes by every method, dial them, and show each attempt.',
  description:
    'Looks for other nodes by the address you name, announce files, configured bootstrap addresses, mDNS, DHT, what connected peers have heard and memory, dials what it finds, tries the Python nodes that it uses, and answers each attempt with its outcome, in this order.',
  input: z.strictObject({
    remote_multiaddr: z.string().max(1000).default('').describe('An address to try as well, ending in /p2p/<peer id>.'),
    timeout_s: seconds(60, 0.1).default(5),
  }),
  output: z.object({
    peers: z.array(z.string()).describe('Peers that are connected now, without those that do not serve this node.'),
    attempts: z.array(
      z.object({
        method: z.enum(discoveryMethods),
        ok: z.boolean(),
        outcome: z
          .enum(outcomes)
          .describe('connected, failed, nothing (the method named nobody) or off (it is not used).'),
        peer_id: z.string(),
        multiaddr: z
          .string()
          .describe(
            'The address in use, or tried. Empty: the peer has dialled this node, and tells no address of its own.',
          ),
        error: z.string().describe('Empty when ok; otherwise what failed, or why nothing was tried.'),
        duration_ms: z.number(),
      }),
    ),
  }),
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'peers:connect',
  remote: false,
  waitMs: (input) => input.timeout_s * 1000,
  deadlineMs: (input) => input.timeout_s * 1000 + answerMs,
});

export const connect = operation({
  tool: 'connect_peer',
  title: 'Connect to a peer',
  summary: 'Dial a node by multiaddr or peer id.',
  description:
    'Dials a peer by its multiaddr (ending in /p2p/<peer id>) or, if its addresses are known, by its peer id.',
  input: z.strictObject({ ...target, timeout_s: seconds(60, 0.1).default(10) }),
  output: z.object({
    peer_id: z.string(),
    multiaddr: z
      .string()
      .describe('The address in use. Empty: the peer has dialled this node, and tells no address of its own.'),
    duration_ms: z.number(),
  }),
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'peers:connect',
  remote: false,
  waitMs: (input) => input.timeout_s * 1000,
  deadlineMs: (input) => input.timeout_s * 1000 + answerMs,
});

export const callTool = operation({
  tool: 'p2p_taskqueue_call_tool',
  title: 'Call a peer’s tool',
  summary: 'Call a tool that a node offers to its peers.',
  description:
    'Calls a tool that this node (or the peer you name) offers, and answers its result. p2p_taskqueue_status lists the names under capabilities.tools.',
  input: z.strictObject({
    tool_name: z.string().min(1).max(200),
    args: z.record(z.string(), z.unknown()).default({}),
    timeout_s: seconds(600, 0.001).default(30),
    ...target,
  }),
  output: z.object({ tool: z.string(), result: z.unknown() }),
  hints: { readOnly: false, idempotent: false, destructive: true },
  scope: 'tools:call',
  remote: true,
  waitMs: (input) => input.timeout_s * 1000,
  deadlineMs: (input) => input.timeout_s * 1000 + answerMs,
});
