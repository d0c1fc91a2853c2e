/**
 * An open loop of HTTP requests, in a process of its own: takes a URL and how many a second; is told `on`, and answers when the
 * load runs; is told `off`, and answers when it has ended. Started by `bench/subjects/hop.ts`.
 */

import { Agent, request } from 'node:http';
import process from 'node:process';
import { openLoop } from '../loops.ts';
import { serveUntilStdinEnds } from './process-life.ts';

/** The load comes in such pieces, and is on when the first of them was answered, in milliseconds. */
const pieceMs = 20;

const [url = '', perSecond = '0'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

const ask = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const outgoing = request(url, { agent }, (response) => response.once('end', resolve).resume());
    outgoing.once('error', reject);
    outgoing.end();
  });

let isOn = false;
let ended = Promise.resolve();

const piece = () => openLoop(ask, { perSecond: Number(perSecond), ms: pieceMs });

async function load(): Promise<void> {
  while (isOn) await piece();
}

await serveUntilStdinEnds('ready', async (word) => {
  isOn = word === 'on';
  if (isOn) {
    await piece();
    ended = load();
  } else await ended;
  return word;
});
