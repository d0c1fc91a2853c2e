import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../tooling/suite.ts';
import { mayImport, readImports, roomOf, root } from './rooms.ts';

const test = suite('rooms');
const imports = readImports();
const own = imports.filter((entry) => entry.own && entry.to.endsWith('.ts'));

test('every room is on the list, and the reader finds imports in each', () => {
  for (const room of new Set(imports.map(({ from }) => roomOf(from))))
    assert.ok(mayImport[room], `${room} is not on the list`);
  for (const room of Object.keys(mayImport))
    assert.ok(
      imports.some(({ from }) => roomOf(from) === room),
      `${room} imports nothing at all`,
    );
});

test('no room imports one that it may not', () => {
  const forbidden = own
    .map(({ from, to }) => ({ from, to, rooms: [roomOf(from), roomOf(to)] as const }))
    .filter(({ rooms: [a, b] }) => a !== b && !(mayImport[a] ?? []).includes(b))
    // The bridge names the files of its far side, and knows nothing of what stands in them.
    .filter(({ rooms: [a, b] }) => !(a === 'bridge' && b === 'far side'));
  assert.equal(forbidden, []);
});

test('the bridge reaches its far side only by dynamic import or as a thread to run', () => {
  assert.equal(
    own.filter(({ from, to, dynamic }) => roomOf(from) === 'bridge' && roomOf(to) === 'far side' && !dynamic),
    [],
  );
});

test('no files import each other in a circle', () => {
  const edges = Map.groupBy(
    own.filter(({ dynamic }) => !dynamic),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (file: string, path: string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of edges.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  assert.equal(circles, []);
});

test('only the P2P room speaks libp2p, and only the server and its peers’ wire speak MCP', () => {
  const users = (pattern: RegExp): string[] =>
    [...new Set(imports.filter(({ to }) => pattern.test(to)).map(({ from }) => roomOf(from)))].sort();
  for (const room of users(/^(libp2p|@libp2p\/|@chainsafe\/|@multiformats\/)/))
    assert.ok(['p2p', 'cli', 'config', 'trust'].includes(room), room);
  for (const room of users(/^@modelcontextprotocol\//)) assert.ok(['server', 'cli', 'p2p'].includes(room), room);
  assert.equal(users(/^node:sqlite$/), ['cache', 'queue']);
});

test('nothing in the server is of one runtime only', () => {
  for (const from of new Set(imports.map((entry) => entry.from).filter((file) => file.startsWith('src/server/')))) {
    assert.not.match(readFileSync(join(root, from), 'utf8'), /\bDeno\.|process\.versions/, from);
  }
});

test('no request handler starts or stops the mesh', () => {
  for (const from of new Set(imports.map((entry) => entry.from).filter((file) => file.startsWith('src/server/')))) {
    assert.not.match(readFileSync(join(root, from), 'utf8'), /mesh\.(start|stop)\b|RunningMesh/, from);
  }
});

test('the page on architecture lists each room with what it may import', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  for (const [room, rooms] of Object.entries(mayImport)) {
    const row = `| \`${room}\` | ${rooms.map((name) => `\`${name}\``).join(' ') || '–'} |`;
    assert.ok(page.includes(row), `docs/architecture.md lacks the row that begins: ${row}`);
  }
});

test.run();
