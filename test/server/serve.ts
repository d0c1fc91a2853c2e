/** Serves a `FakeMesh` on a free loopback port, and ends all that a test opened. */

import { type App, type AppOptions, createApp } from '../../src/server/app.ts';
import { type Listener, listen } from '../../src/server/listen.ts';
import { FakeMesh } from './fake-mesh.ts';

export interface Served {
  fake: FakeMesh;
  app: App;
  listener: Listener;
  url: string;
  /** Runs before the server closes, the last one first. */
  defer(end: () => Promise<unknown> | unknown): void;
}

/** Runs a test against a server of its own. */
export async function withServer(options: Partial<AppOptions>, test: (served: Served) => Promise<void>): Promise<void> {
  const fake = new FakeMesh();
  const app = createApp(fake.mesh, { version: '0.0.0-test', ready: () => true, ...options });
  const listener = await listen(app, { host: '127.0.0.1', port: 0 });
  const ends: (() => Promise<unknown> | unknown)[] = [];
  try {
    await test({ fake, app, listener, url: listener.url, defer: (end) => void ends.push(end) });
  } finally {
    for (const end of ends.reverse()) await end();
    await listener.close();
  }
}
