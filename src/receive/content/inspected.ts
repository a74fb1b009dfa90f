// A message for the relay's own scanners, with the proofs that the gate asks for.

import type { ScannedMessage } from "../../contract/scanner.ts";
import type { Proof, Secret } from "../gate/gate.ts";

export interface Inspected extends ScannedMessage {
  /** The proofs without one of which the message is refused. */
  readonly proofs: readonly Proof[];
  /** The proofs without one of which the message is not relayed. */
  readonly claims: readonly Proof[];
  /** Headers that are removed, whether the rule asks for them or not. */
  readonly secrets: readonly Secret[];
}
