// A message as the relay's own scanners are given it: with what the gate wants to be shown.

import type { ScannedMessage } from "../../contract/scanner.ts";
import type { Proof, Secret } from "../gate/gate.ts";

export interface Inspected extends ScannedMessage {
  /** Without one of them the message is refused. */
  readonly proofs: readonly Proof[];
  /** Without one of them it is not relayed. */
  readonly claims: readonly Proof[];
  /** Do not go on, whether they are asked for or not. */
  readonly secrets: readonly Secret[];
}
