/**
 * Memory and processor time of a process and all that it started: from `/proc` where there is one, else from `ps`.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessFigures {
  /** Shared pages count in parts where the system says so (proportional set size), else in full in each process. */
  memoryBytes: number;
  cpuMs: number;
  processes: number;
}

interface Listed {
  pid: number;
  parent: number;
}

const hasProc = existsSync('/proc/self/smaps_rollup');

/** Of the process and its descendants, now. */
export function figuresOf(root: number): ProcessFigures {
  const figures: ProcessFigures = { memoryBytes: 0, cpuMs: 0, processes: 0 };
  const listed = hasProc ? listProc() : listPs();
  const family = new Set([root]);
  for (let grown = true; grown; ) {
    const before = family.size;
    for (const { pid, parent } of listed) if (family.has(parent)) family.add(pid);
    grown = family.size > before;
  }
  for (const pid of family) {
    const one = hasProc ? fromProc(pid) : fromPs(pid);
    if (one === undefined) continue;
    figures.memoryBytes += one.memoryBytes;
    figures.cpuMs += one.cpuMs;
    figures.processes++;
  }
  return figures;
}

type OneProcess = Omit<ProcessFigures, 'processes'> | undefined;

function listProc(): Listed[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      // The command in brackets may hold anything, brackets too.
      const fields = readOrNothing(`/proc/${name}/stat`)?.split(')').at(-1)?.trim().split(' ');
      return fields === undefined ? [] : [{ pid: Number(name), parent: Number(fields[1]) }];
    });
}

function fromProc(pid: number): OneProcess {
  const memory = /^Pss:\s+(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
  if (memory === undefined) return undefined;
  let cpuNs = 0;
  // Nanoseconds of each thread; the process's own figure has steps of 10 ms.
  for (const thread of readdirSync(`/proc/${pid}/task`))
    cpuNs += Number(readOrNothing(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  return { memoryBytes: Number(memory) * 1024, cpuMs: cpuNs / 1e6 };
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function listPs(): Listed[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([pid = 0, parent = 0]) => ({ pid, parent }));
}

function fromPs(pid: number): OneProcess {
  try {
    const said = execFileSync('ps', ['-o', 'rss=,time=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [rss = '0', time = '0'] = said.split(/\s+/);
    const seconds = time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0);
    return { memoryBytes: Number(rss) * 1024, cpuMs: seconds * 1000 };
  } catch {
    return undefined;
  }
}
