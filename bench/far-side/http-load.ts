/**
 * An open loop of HTTP requests, in a process of its own: takes a URL and how many a second, prints a line when the first
 * answers came, and goes on until its stdin ends. Started by `bench/subjects/hop.ts`.
 */

import { Agent, request } from 'node:http';
import process from 'node:process';
import { openLoop } from '../loops.ts';
import { serveUntilStdinEnds } from './process-life.ts';

const [url = '', perSecond = '0'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

const ask = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const outgoing = request(url, { agent }, (response) => response.once('end', resolve).resume());
    outgoing.once('error', reject);
    outgoing.end();
  });

const load = (ms: number) => openLoop(ask, { perSecond: Number(perSecond), ms });

await load(100);
const forever = async (): Promise<never> => {
  for (;;) await load(1_000);
};
void forever();
await serveUntilStdinEnds('under load');
