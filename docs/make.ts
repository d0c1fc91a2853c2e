/**
 * Makes the parts of the documentation that follow from tables in the code: the pages on errors, operations, settings and
 * limits, and the marked parts of the README. `npm run docs` writes them; a test says when they are out of date.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { maxTogether } from '../src/bridge/packed.ts';
import { spoken, verbNotes, verbs } from '../src/bridge/protocol.ts';
import { settingEntry, settingNames, variableOf } from '../src/config/settings.ts';
import { inputJsonSchema } from '../src/mesh/answer.ts';
import { errorCodes, errorKinds } from '../src/mesh/errors.ts';
import { defaultLimits } from '../src/mesh/limits.ts';
import { operationEntry, operationNames } from '../src/mesh/operations.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

const made = 'This page is made from the code by `npm run docs`.';

function errorsPage(): string {
  const rows = errorCodes.map((code) => [
    `\`${code}\``,
    errorKinds[code].retryable ? 'yes' : 'no',
    errorKinds[code].summary,
  ]);
  return `# Errors

Every answer that failed is \`{ok: false, error, message, retryable, details?}\`. \`error\` is one of these codes; codes are
added, never renamed. \`message\` says what happened, why, and what to do. \`retryable\`: the same call may succeed later.
${made}

${table(['code', 'retryable', 'meaning'], rows)}
`;
}

interface SchemaProperty {
  description?: string;
  type?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
}

function operationsPage(): string {
  const sections = operationNames.map((name) => {
    const entry = operationEntry(name);
    const schema = inputJsonSchema(name) as { properties?: Record<string, SchemaProperty>; required?: string[] };
    const rows = Object.entries(schema.properties ?? {}).map(([field, property]) => [
      `\`${field}\``,
      property.enum ? property.enum.map((value) => `\`${value}\``).join(', ') : (property.type ?? 'any JSON'),
      schema.required?.includes(field)
        ? 'required'
        : property.default === undefined
          ? ''
          : `\`${JSON.stringify(property.default)}\``,
      property.description ?? '',
    ]);
    const hints = [
      entry.hints.readOnly ? 'read-only' : '',
      entry.hints.idempotent ? 'idempotent' : '',
      entry.hints.destructive ? 'destructive' : '',
      entry.remote ? 'may be asked of a peer' : 'own node only',
    ];
    return `## ${name}

Tool \`${entry.tool}\` · scope \`${entry.scope}\` · ${hints.filter(Boolean).join(' · ')}

${entry.description}

${table(['field', 'type', 'default', 'meaning'], rows)}
`;
  });
  return `# Operations

The one table from which the MCP tools, the commands, the bridge's messages and what peers may ask of each other are made.
${made}

${sections.join('\n')}`;
}

function settingsPage(): string {
  const rows = settingNames.map((name) => {
    const { summary, defaultText = '', example } = settingEntry(name);
    return [`\`--${name}\``, `\`${variableOf(name)}\``, `\`${name}\``, summary, defaultText, `\`${example}\``];
  });
  return `# Settings

Each setting has one name. A flag goes before a variable, a variable before the config file (\`--config\`, else
\`config.json\` in the data folder). Lists: repeat the flag, or separate by commas. ${made}

${table(['flag', 'variable', 'config key', 'meaning', 'default', 'example'], rows)}
`;
}

function limitsPage(): string {
  const rows = Object.entries(defaultLimits).map(([name, value]) => [`\`${name}\``, value.toLocaleString('en-US')]);
  return `# Limits

Every queue, map and buffer has a bound, and the bounds stand together in \`src/mesh/limits.ts\`, each with its reason. Units
are in the names. \`status\` with \`detail\` shows those in force. ${made}

${table(['limit', 'default'], rows)}
`;
}

function internalRpcPage(): string {
  const verbRows = (Object.keys(verbs) as (keyof typeof verbs)[]).map((key) => {
    const { from, params, answer, meaning } = verbNotes[key];
    return [`\`${verbs[key]}\``, from, params, answer, meaning];
  });
  const operationRows = operationNames.map((name) => {
    const { summary, hints } = operationEntry(name);
    return [`[\`${name}\`](operations.md#${name})`, summary, hints.idempotent ? 'yes' : ''];
  });
  const {
    maxBridgeFrameBytes,
    frameDeadlineMs,
    maxBridges,
    callDeadlineMs,
    bridgeIdleMs,
    maxSessionBodies,
    maxInFlight,
    maxBodyBytes,
    bodyDeadlineMs,
  } = defaultLimits;
  const number = (value: number): string => value.toLocaleString('en-US');
  const request = {
    jsonrpc: '2.0',
    id: 1,
    method: 'submit',
    params: { input: { task_type: 'text.stats', payload: { text: 'a b' } } },
  };
  const curl = 'curl -H "Authorization: Bearer $(cat ~/.taskmesh/p2p.token)"';
  return `# The internal RPC

What crosses the bridge between a server (the near side) and the P2P node (the far side). [bridge.md](bridge.md) says where the
far side may be and what holds for every call; this page is for who looks at the wire, or asks a P2P service by hand. It is not
for other programs to build on: that is MCP. ${made}

This build speaks versions ${spoken.oldest} to ${spoken.newest} of the protocol.

## Messages

JSON-RPC 2.0, the same on every way across. Both sides may ask.

* **A call**: \`method\` is the operation's name, \`params\` is \`{ "input": …, "_meta": … }\`. Under \`_meta\`,
  \`taskmesh/deadlineMs\` is how long the caller will wait: the far side stops by itself when it is over. \`progressToken\` asks
  for progress.
* **Cancellation**: the notification \`notifications/cancelled\` with \`requestId\`, as in MCP.
* **Progress**: the notification \`notifications/progress\` with \`progressToken\` and \`task\`.
* **An error** is a JSON-RPC error whose \`data\` is \`{ok: false, error, message, retryable, details?}\`; \`error\` is one of the
  [codes](errors.md).
* At most ${number(maxInFlight)} calls are in flight each way; more are refused as \`busy\`.

\`\`\`json
{"jsonrpc":"2.0","id":3,"method":"wait","params":{"input":{"task_id":"…"},"_meta":{"taskmesh/deadlineMs":30000,"progressToken":3}}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"task":{"task_id":"…","status":"running","attempt":1,"progress":0.5},"progressToken":3}}
{"jsonrpc":"2.0","id":3,"result":{"done":true,"task":{}}}
\`\`\`

## Verbs

${table(['method', 'sent by', 'params', 'answer', 'meaning'], verbRows)}

Everything before the hello is refused with \`unauthorized\`; where none comes within ${number(callDeadlineMs)} ms the far side ends the
connection. Before it ends one by itself, because of what came or because there are too many (${number(maxBridges)}), it says why in an error
whose \`id\` is null. The highest version that both sides speak is taken; when there is
none, the side that is too old is named in the error, with what both speak.

## Operations

Sent by the near side, which has checked the input. A P2P service checks it again: the server may be of another build. An idempotent one is carried once more by the bridge itself when the far
side ended before it answered.

${table(['method', 'meaning', 'idempotent'], operationRows)}

## Ways across

### Unix socket

\`unix:<data>/p2p.sock\`, mode 600 in a folder of mode 700: whoever may open it may use it. A token in the hello is checked if
there is one. Each message is a frame: four bytes of length (unsigned, big-endian), then that many bytes of UTF-8 JSON, at most
${number(maxBridgeFrameBytes)}. Calls and results, which are nearly all there is, go as lists without their envelopes; everything else goes as above, and
calls may come so too:

\`\`\`json
[0,3,"wait",{"task_id":"…"},30000,true]
[1,3,{"done":true,"task":{}}]
\`\`\`

That is \`[0, id, method, input, deadlineMs, wantsProgress]\` and \`[1, id, result]\`. Half a frame must become a whole one within ${number(frameDeadlineMs)} ms. Messages of one tick are
written together, up to ${number(maxTogether)} of them; those of 64 KiB and more are written one at a time and let smaller ones pass.

A socket that a killed service has left behind is taken over by the next one; one that answers is \`address_in_use\`.

### Loopback HTTP

\`--rpc-listen http://127.0.0.1:7332\`. Every request carries \`Authorization: Bearer <token>\`; the token is in \`p2p.token\` in
the service's data folder, for its owner alone. \`Host\` must be a name of loopback, and requests of web pages (\`Origin\`) are
refused.

One operation by one request, no hello needed:

\`\`\`sh
${curl} -d '{}' http://127.0.0.1:7332/rpc/status
${curl} -d '${JSON.stringify(request)}' http://127.0.0.1:7332/rpc
\`\`\`

The first is answered as the operation's tool would, \`{"ok":true,…}\`, with an HTTP status to match; the second with a JSON-RPC
response. Bodies are at most ${number(maxBodyBytes)} bytes, and whole within ${number(bodyDeadlineMs)} ms. Closing the connection cancels the call.

A session, which is what servers use: \`GET /rpc\` is answered by a stream that does not end, one message a line (NDJSON), and
by the header \`Taskmesh-Session\`. \`POST /rpc\` with that header carries messages the other way, one a line, which are taken as
they come; at its end it is answered with 202. Servers send one whose body lasts as long as the session (\`curl -T -\` does too). Half a line must
become a whole one within ${number(frameDeadlineMs)} ms. The session ends with its stream, or when nothing is posted for ${number(bridgeIdleMs)} ms; servers ping every second.
At most ${maxBridges} are open at a time, each with at most ${maxSessionBodies} such requests, and as many sockets.

### MessagePort, and in memory

A worker thread gets the same lists, all messages of a tick in one (\`src/bridge/packed.ts\`); two sides in one loop hand them over as they are.

## A supervised service

With \`--layout process\` and no \`--p2p-service\`, the server starts \`entrypoints/p2p.ts --supervised\`. It writes one line of JSON
to the child's standard input (\`{node, rpc, logLevel}\`), reads one line from its standard output (\`{"ok":true,"rpc":[…]}\`, or the
failure), and then connects like anybody else. The child ends when its standard input does, whatever the server died of.
`;
}

function readme(): string {
  const tools = table(
    ['tool', 'what it does'],
    operationNames.map((name) => [`\`${operationEntry(name).tool}\``, operationEntry(name).summary]),
  );
  const example = read('examples/worker.ts').trim();
  const between = (text: string, mark: string, content: string): string =>
    text.replace(
      new RegExp(`(<!-- ${mark}:begin -->\n)[^]*?(<!-- ${mark}:end -->)`),
      (_all, begin, end) => `${begin}${content}\n${end}`,
    );
  return between(between(read('README.md'), 'tools', tools), 'worker', `\`\`\`ts\n${example}\n\`\`\``);
}

/** Each made file with what it should hold. */
export function makeDocs(): Map<string, string> {
  return new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/operations.md', operationsPage()],
    ['docs/settings.md', settingsPage()],
    ['docs/limits.md', limitsPage()],
    ['docs/internal-rpc.md', internalRpcPage()],
    ['README.md', readme()],
  ]);
}

if (process.argv[1]?.endsWith('docs/make.ts')) {
  for (const [path, text] of makeDocs()) writeFileSync(new URL(`../${path}`, import.meta.url), text);
}
