/**
 * The ticket that `taskmesh join` is given: best by standard input, because whatever is an argument stands in the list of processes,
 * for every user of the machine, and in the shell's history.
 */

import { MeshError } from '../mesh/errors.ts';
import { readTicket, type Ticket } from '../trust/ticket.ts';
import type { CommandCall } from './command.ts';
import { UsageError } from './usage-error.ts';

/** More than any ticket, in characters. */
const maxTyped = 100_000;

/** Throws `invalid_params` for what is no ticket, or none at all. */
export async function ticketOf(call: CommandCall): Promise<Ticket> {
  const { stdin, stderr } = call.context;
  const [written] = call.arguments.ticket ?? [];
  if (written !== undefined && written !== '-') return readTicket(written);
  const isTyped = stdin.isTTY === true;
  if (written === undefined && !isTyped)
    throw new UsageError(
      'join needs TICKET: give - and the ticket on standard input, as in: taskmesh join - < ticket.txt',
    );
  if (isTyped) stderr.write('Paste the ticket and press Enter:\n');
  const text = await read(stdin, isTyped);
  if (text.trim() !== '') return readTicket(text);
  throw new UsageError(
    'No ticket came on standard input. Paste what "taskmesh invite" printed on the other machine, or: taskmesh join - < ticket.txt',
  );
}

/** All that comes; where somebody types, as far as the ticket is whole or a line is empty. */
async function read(stdin: CommandCall['context']['stdin'], isTyped: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stdin) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text.length > maxTyped || (isTyped && (isWhole(text) || /(^|\n)\s*\n$/.test(text)))) break;
  }
  return text;
}

function isWhole(text: string): boolean {
  try {
    return readTicket(text) !== undefined;
  } catch (thrown) {
    if (thrown instanceof MeshError) return false;
    throw thrown;
  }
}
