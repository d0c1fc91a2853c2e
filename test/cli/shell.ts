/** Runs the command line in this process, against a fake mesh, and collects what it says. */

import type { CliContext, ProxyOptions } from '../../src/cli/cli-context.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import type { Settings } from '../../src/config/settings.ts';
import { FakeMesh } from '../server/fake-mesh.ts';
import { FakeClock } from '../support/fake-clock.ts';

export interface Said {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Shell {
  readonly fake: FakeMesh;
  /** Settings that a node was started with, by `serve` or by `--join`. */
  readonly started: Settings[];
  /** What was to be served, by `proxy`. */
  readonly proxied: ProxyOptions[];
  /** Nodes that were joined and not left. */
  joined: number;
  /** Runs a command line with `--join`, so that the fake mesh answers. */
  ask(...argv: string[]): Promise<Said>;
  /** Runs a command line as it is. */
  run(...argv: string[]): Promise<Said>;
  /** As if the user had pressed Ctrl-C. */
  interrupt(): void;
  /** Where output goes; a test may make it a terminal. */
  readonly terminal: { isTTY: boolean; columns: number; rows: number };
  readonly context: { -readonly [Name in keyof CliContext]?: CliContext[Name] };
}

export function shell(): Shell {
  const fake = new FakeMesh();
  const stops = new Set<() => void>();
  const made: Shell = {
    fake,
    started: [],
    proxied: [],
    joined: 0,
    terminal: { isTTY: false, columns: 80, rows: 24 },
    context: {},
    interrupt: () => {
      for (const stop of stops) stop();
    },
    ask: (...argv) => made.run(...argv, '--join'),
    async run(...argv) {
      const said = { stdout: '', stderr: '' };
      const output = (name: keyof typeof said) => ({
        write: (text: string) => {
          said[name] += text;
        },
        ...made.terminal,
      });
      const exitCode = await runCli({
        argv,
        env: {},
        stdin: noInput(),
        stdout: output('stdout'),
        stderr: output('stderr'),
        folder: '/no-such-folder',
        home: '/no-such-home',
        workerId: 'box-1',
        scriptCommand: [],
        clock: new FakeClock(10_000),
        defaults: { layout: 'inline' },
        async serve(settings, print) {
          made.started.push(settings);
          print('it runs\n', { peer_id: 'p' });
          return 0;
        },
        async serveP2p(settings, print) {
          made.started.push(settings);
          print('it runs\n', { peer_id: 'p' });
          return 0;
        },
        async proxy(options) {
          made.proxied.push(options);
        },
        async joinMesh(settings) {
          made.started.push(settings);
          made.joined++;
          return {
            ...fake.mesh,
            async [Symbol.asyncDispose]() {
              made.joined--;
            },
          };
        },
        onStopSignal(stop) {
          stops.add(stop);
          return () => stops.delete(stop);
        },
        ...made.context,
      });
      if (stops.size > 0) throw new Error('the command still listens for signals');
      if (made.joined > 0) throw new Error('the command left a node running');
      return { exitCode, ...said };
    },
  };
  return made;
}

async function* noInput(): AsyncGenerator<string> {}
