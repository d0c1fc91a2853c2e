/** What a translation of one of our operations into a Python node's gets, and what it says when there is none. */

import { MeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../../mesh/operations.ts';
import type { Rpc } from './client-session.ts';
import type { LeaseLedger } from './lease-ledger.ts';

export interface AskOnce {
  /** The answer may take at least this long, in milliseconds. */
  readonly leastMs?: number;
  /** A reply that is not `ok` is an answer too. */
  readonly mayRefuse?: boolean;
  /** A reply that came although the caller had given up. */
  readonly dropped?: (reply: Rpc) => void;
}

export interface AskContext {
  /** One request, within what is left of the call's time. */
  ask(op: string, fields: Rpc, once?: AskOnce): Promise<Rpc>;
  /** A request in the background, with a time of its own; never rejects. */
  askLater(op: string, fields: Rpc): void;
  /** The node's identity now, known after the first answer. */
  peerId(): string;
  /** This node's own identity. */
  readonly ownPeerId: string;
  /** Where the operator said that the node is. */
  readonly address: string;
  readonly ledger: LeaseLedger;
  nowMs(): number;
  monotonicMs(): number;
  /** Resolves after a while; rejects with `cancelled` when the caller gives up. */
  pause(ms: number): Promise<void>;
}

export type Translations = {
  [Name in OperationName]: (input: CheckedInput<Name>, context: AskContext) => Promise<OperationOutput<Name>>;
};

export function noCounterpart(what: string, instead: string): MeshError {
  return new MeshError('unknown_operation', `Python nodes have nothing like ${what}. ${instead}`);
}
