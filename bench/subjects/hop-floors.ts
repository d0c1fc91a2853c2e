/** The bare ways across, with nothing of taskmesh around them: what is left for a bridge to be compared with. */

import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { FrameCutter } from '../far-side/frame-cutter.ts';
import { startProcess } from '../far-side/process-life.ts';
import type { HopWay } from './hop-way.ts';

const echoService = new URL('../far-side/echo-service.ts', import.meta.url);

/** One message each way, answered in their order. */
export async function openBarePort(): Promise<HopWay> {
  const { port1, port2 } = new MessageChannel();
  const main = new URL('../far-side/echo-main.ts', import.meta.url);
  const worker = new Worker(main, { workerData: { port: port2 }, transferList: [port2] });
  const waiting = new Fifo();
  const receiver = port1 as unknown as { onmessage: () => void };
  receiver.onmessage = () => waiting.answer();
  return {
    ask({ input }) {
      port1.postMessage(input);
      return waiting.ask();
    },
    async close() {
      port1.close();
      await worker.terminate();
    },
  };
}

/** Frames with a length in front of them, written one by one. */
export async function openBareSocket(): Promise<HopWay> {
  const folder = await mkdtemp(join(tmpdir(), 'hop-'));
  const path = join(folder, 's');
  const service = await startProcess(echoService, [`unix:${path}`]);
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const waiting = new Fifo();
  const frames = new FrameCutter(() => waiting.answer());
  socket.on('data', (piece) => frames.push(piece as Buffer));
  return {
    ask({ frame }) {
      socket.write(frame);
      return waiting.ask();
    },
    async close() {
      socket.destroy();
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One request per call, on connections that are kept. */
export async function openBareHttp(): Promise<HopWay> {
  const service = await startProcess(echoService, ['http']);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    async ask({ frame }) {
      const outgoing = request({
        ...{ agent, method: 'POST', host: '127.0.0.1', port: Number(service.ready) },
        headers: { 'content-length': frame.length },
      });
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        outgoing.once('response', resolve).once('error', reject);
      });
      outgoing.end(frame);
      const response = await answer;
      await new Promise((resolve, reject) => response.once('end', resolve).once('error', reject).resume());
    },
    async close() {
      agent.destroy();
      await service.stop();
    },
  };
}

/** Who waits for an answer, the longest first. */
class Fifo {
  #waiting: (() => void)[] = [];
  #first = 0;

  ask(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  answer(): void {
    this.#waiting[this.#first++]?.();
    if (this.#first < 1024) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}
