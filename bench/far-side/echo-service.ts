/**
 * The floors of a process: sends back the bytes that it gets, with nothing around them, frame by frame over a Unix socket or over HTTP. Takes
 * `unix:<path>` or `http` as its argument, prints where it listens. Started by `bench/subjects/hop-floors.ts`.
 */

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import process from 'node:process';
import { FrameCutter } from './frame-cutter.ts';
import { serveUntilStdinEnds } from './process-life.ts';

const address = process.argv[2] ?? '';
if (address === 'http') {
  const server = createHttpServer((request, response) => {
    const pieces: Uint8Array[] = [];
    request.on('data', (piece: Uint8Array) => pieces.push(piece));
    request.on('end', () => response.end(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)));
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await serveUntilStdinEnds(String((server.address() as AddressInfo).port));
} else {
  const server = createServer((socket) => {
    const frames = new FrameCutter((frame) => socket.write(frame));
    socket.on('data', (piece) => frames.push(piece as Buffer));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(address.slice('unix:'.length), resolve));
  await serveUntilStdinEnds(address);
}
