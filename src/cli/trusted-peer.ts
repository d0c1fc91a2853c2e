/** A peer as it is named on the command line: by its peer id, or by the label that it was given. */

import type { TrustFolder } from '../trust/trust-folder.ts';
import { UsageError } from './usage-error.ts';

const peerIdPattern =
  /^(12D3KooW[1-9A-HJ-NP-Za-km-z]{44}|Qm[1-9A-HJ-NP-Za-km-z]{44}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{46})$/;

/** The peer id. Throws `UsageError` for what is neither. */
export async function peerIdOf(written: string, { peers }: TrustFolder): Promise<string> {
  if (peerIdPattern.test(written)) return written;
  const { entries } = await peers.all();
  const named = [...entries.values()].filter(({ label }) => label === written);
  const [only, another] = named;
  if (only !== undefined && another === undefined) return only.peer_id;
  throw new UsageError(
    only === undefined
      ? `"${written}" is neither a peer id nor the label of a listed peer. "taskmesh trust" lists them; a node says its peer id when it starts.`
      : `Several peers have the label "${written}". Name one by its peer id; "taskmesh trust" lists them.`,
  );
}
