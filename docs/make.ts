/**
 * Makes the parts of the documentation that follow from tables in the code: the pages on errors, operations, settings and
 * limits, and the marked parts of the README. `npm run docs` writes them; a test says when they are out of date.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
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
    ['README.md', readme()],
  ]);
}

if (process.argv[1]?.endsWith('docs/make.ts')) {
  for (const [path, text] of makeDocs()) writeFileSync(new URL(`../${path}`, import.meta.url), text);
}
