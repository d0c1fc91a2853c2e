/**
 * What a peer notices when another one floods the node that both are connected to: `npx node bench/flood.ts [rounds] [seconds] [kinds]`,
 * or `npx deno run -A bench/flood.ts …` for nodes on Deno.
 *
 * Four processes: the node, another node, the peer that floods, and this one, the neighbour, which asks the node for its status at a
 * steady rate. Each round has three parts: nobody else does anything; the other node is flooded; the node is. Printed per kind of
 * flood: the neighbour's p99 under it ÷ its p99 alone, and the two factors of that: what the machine does, whose processors all four
 * share whoever is flooded, and what the node adds. Each is the median of rounds with its 95 % interval.
 *
 * Who breaks the framing is soon shut out: that flood is then one of connections that are refused.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, cpus, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { checked } from '../src/mesh/checked.ts';
import { createNode } from '../src/p2p/node.ts';
import { openLoop } from './loops.ts';
import { commandFor, currentRuntime, versionOf } from './runner/runtimes.ts';
import { quantile, ratioEstimate } from './statistics.ts';

/** Calls of the neighbour per second. */
const perSecond = 200;

/** Longest that the neighbour waits for one answer. */
const deadlineMs = 5_000;

const rounds = Number(process.argv[2] ?? 8);
const seconds = Number(process.argv[3] ?? 3);
const allKinds = ['requests', 'bulk', 'broken'];
/** With commas between them. */
const kinds = (process.argv[4] ?? allKinds.join()).split(',');
const unknown = kinds.find((kind) => !allKinds.includes(kind));
if (unknown !== undefined) {
  console.error(
    `There is no flood of kind “${unknown}”. Choose of ${allKinds.join(', ')}, such as: npx node bench/flood.ts 8 3 bulk`,
  );
  process.exit(2);
}

interface Child {
  readonly child: ChildProcess;
  /** The next line that it prints. */
  next(): Promise<string>;
  say(line: string): void;
  end(): Promise<void>;
}

function start(file: string): Child {
  const [command = '', ...args] = commandFor(currentRuntime, new URL(file, import.meta.url), []);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
  const { stdin } = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    child,
    next: async () => String((await lines.next()).value),
    say: (line) => void stdin.write(`${line}\n`),
    async end() {
      stdin.end();
      await closed;
    },
  };
}

const [flooded, other] = [start('./flood-node.ts'), start('./flood-node.ts')];
const [address, otherAddress] = [await flooded.next(), await other.next()];
const folder = await mkdtemp(join(tmpdir(), 'taskmesh-flood-'));
const neighbour = createNode({ dataFolder: folder, listen: [], bootstrap: [], mdns: false, layout: 'inline' });
await neighbour.start();
const mesh = checked(neighbour);
const ask = (): Promise<unknown> => mesh.call('status', { remote_multiaddr: address }, { deadlineMs });

/** The neighbour's p99 in milliseconds, and how many of its calls failed. */
async function measure(): Promise<{ p99: number; failed: number }> {
  const { latency, failed } = await openLoop(ask, { perSecond, ms: seconds * 1000 });
  return { p99: quantile(latency, 0.99) / 1000, failed };
}

async function under(kind: string, at: string): Promise<{ p99: number; failed: number; sent: number; cut: number }> {
  flooder.say(`go ${kind} ${at}`);
  const measured = await measure();
  flooder.say('stop');
  return { ...measured, ...(JSON.parse(await flooder.next()) as { sent: number; cut: number }) };
}

const inText = (values: readonly number[]): string => values.map((value) => value.toFixed(2)).join(' ');

function ratioInText(of: readonly number[], to: readonly number[]): string {
  const found = ratioEstimate([of], [to]);
  if (found === undefined) return 'not measured';
  return `${found.value.toFixed(2)} (${found.low.toFixed(2)} to ${found.high.toFixed(2)})`;
}

const flooder = start('./flood-peer.ts');
// It stands for another machine, which takes no processor from this one: it gets what nobody else wants.
if (flooder.child.pid !== undefined) setPriority(flooder.child.pid, constants.priority.PRIORITY_LOW);
await flooder.next();
await measure();
console.log(
  `${cpus().length} cores, ${currentRuntime} ${versionOf(currentRuntime)?.match(/\d[\d.]*/)?.[0]}; ${rounds} rounds of ${seconds} s, ${perSecond} calls a second`,
);
for (const kind of kinds) {
  const [alone, beside, flooding]: [number[], number[], number[]] = [[], [], []];
  let [failed, sent, cut] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    alone.push((await measure()).p99);
    const elsewhere = await under(kind, otherAddress);
    beside.push(elsewhere.p99);
    const measured = await under(kind, address);
    flooding.push(measured.p99);
    failed += measured.failed;
    sent += measured.sent;
    cut += measured.cut;
  }
  console.log(`\n${kind}: the neighbour’s p99 under the flood ÷ alone ${ratioInText(flooding, alone)}`);
  console.log(`  while another node is flooded ÷ alone ${ratioInText(beside, alone)}: the machine’s part`);
  console.log(`  under the flood ÷ while another node is flooded ${ratioInText(flooding, beside)}: the node’s part`);
  console.log(
    `  in ms: alone ${inText(alone)}; another node flooded ${inText(beside)}; its own flooded ${inText(flooding)}`,
  );
  console.log(`  ${sent} messages were thrown, ${cut} streams were cut off, ${failed} of the neighbour’s calls failed`);
}
await flooder.end();
await neighbour.stop();
await Promise.all([flooded.end(), other.end()]);
await rm(folder, { recursive: true, force: true });
process.exit(0);
