/** The help: one page for the program, one for each command, made from the tables of commands and settings. */

import { isList } from '../config/setting.ts';
import { type SettingName, settingEntry, settingNames, variableOf } from '../config/settings.ts';
import { version } from '../mesh/build.ts';
import { type Command, groups } from './command.ts';
import type { Flag, Flags } from './flags.ts';

const lineWidth = 100;

export const joinFlag: Flag = {
  kind: 'switch',
  summary:
    'Join the mesh with a node of this command’s own, instead of asking a running one. Takes the settings of serve.',
};

/** The settings as flags. */
export function settingFlags(audience: 'node' | 'client' | 'all'): Flags {
  const wanted = settingNames.filter(
    (name) => audience === 'all' || [audience, 'both'].includes(settingEntry(name).audience),
  );
  return Object.fromEntries(wanted.map((name) => [name, settingFlag(name)]));
}

function settingFlag(name: SettingName): Flag {
  const setting = settingEntry(name);
  return {
    kind: setting.kind === 'switch' ? 'switch' : isList(setting) ? 'list' : 'text',
    summary:
      setting.choices === undefined ? setting.summary : `${setting.summary} One of ${setting.choices.join(', ')}.`,
    placeholder: name.includes('listen')
      ? 'MULTIADDR'
      : setting.kind === 'choice'
        ? 'WORD'
        : setting.kind.toUpperCase(),
    ...(setting.defaultText === undefined ? {} : { defaultText: setting.defaultText }),
  };
}

export function usageLine(command: Command): string {
  const positionals = command.positionals.map(({ label, required, rest }) => {
    const text = rest ? `${label}…` : label;
    return required ? text : `[${text}]`;
  });
  return ['taskmesh', command.name, ...positionals, '[options]'].join(' ');
}

export function overview(commands: readonly Command[]): string {
  const wide = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const sections = groups.map((group) => {
    const lines = commands
      .filter((command) => command.group === group)
      .map(({ name, summary }) => `  ${name.padEnd(wide)}${summary}`);
    return [`${group}:`, ...lines].join('\n');
  });
  return [
    `taskmesh ${version}: any MCP client, on any of your machines, hands work to any other of your machines.`,
    'Usage: taskmesh <command> [options]',
    ...sections,
    `Options of all commands:\n${flagLines({ ...settingFlags('client'), join: joinFlag })}\n  --help, --version`,
    [
      'Examples:',
      '  taskmesh serve',
      '  taskmesh work --type text.stats --exec ./examples/text-stats.ts',
      '  taskmesh submit text.stats @README.md --wait',
    ].join('\n'),
    `Each option can also be set in the environment (--data is ${variableOf('data')}) or in the config file ("data": …).`,
    'Exit codes: 0 it went well, 1 it failed or the answer is no, 2 the command line or a setting is wrong, 130 interrupted. With --json, failures are answers too: {"ok": false, "error": …}.',
    '"taskmesh <command> --help" says more.',
  ].join('\n\n');
}

export function commandHelp(command: Command): string {
  const settings = settingFlags(command.needs === 'node' ? 'node' : 'client');
  const shared = command.needs === 'client' ? { ...settings, join: joinFlag } : settings;
  const own = Object.values(command.flags).every(({ hidden }) => hidden)
    ? []
    : [`Options:\n${flagLines(command.flags)}`];
  const explained = command.positionals.flatMap(({ label, summary }) =>
    summary === undefined || summary === '' ? [] : [`  ${label}\n${wrap(summary, '      ')}`],
  );
  return [
    `Usage: ${usageLine(command)}`,
    wrap([command.summary, command.description ?? ''].join(' ').trim(), ''),
    ...(explained.length === 0 ? [] : [`Arguments:\n${explained.join('\n')}`]),
    ...own,
    `${command.needs === 'client' ? 'Which node to ask, and how to answer' : 'Settings'}:\n${flagLines(shared)}`,
    `Examples:\n${command.examples.map((example) => `  ${exampleLine(example)}`).join('\n')}`,
  ].join('\n\n');
}

/** The commands whose name begins with the same word, such as those of the cache. */
export function familyHelp(word: string, commands: readonly Command[]): string {
  const wide = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    `Usage: taskmesh ${word} <command> [options]`,
    commands.map(({ name, summary }) => `  ${name.padEnd(wide)}${summary}`).join('\n'),
    `"taskmesh ${word} <command> --help" says more.`,
  ].join('\n\n');
}

function exampleLine(example: string): string {
  return example.includes('taskmesh ') ? example : `taskmesh ${example}`;
}

/** Each flag with its text below: names can be long. */
function flagLines(flags: Flags): string {
  return Object.entries(flags)
    .filter(([, { hidden }]) => !hidden)
    .map(([name, flag]) => {
      const value = flag.kind === 'switch' ? '' : ` ${flag.placeholder ?? 'TEXT'}${flag.kind === 'list' ? '…' : ''}`;
      const standard = flag.defaultText === undefined ? '' : ` Default: ${flag.defaultText}.`;
      return `  --${name}${value}\n${wrap(`${flag.summary}${standard}`.trim(), '      ')}`.trimEnd();
    })
    .join('\n');
}

function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > lineWidth && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
