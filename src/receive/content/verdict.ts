// What a client is told about a header section at the end of DATA, and about the proofs that it lacks.

import { status, type Status } from "../../mail/status.ts";
import type { Examined } from "../authentication/authentication.ts";
import { HEADER_TOO_BIG } from "../authentication/results.ts";
import { judgeTenant } from "../authentication/tenant.ts";
import type { Proof } from "../gate/gate.ts";
import type { HeaderReader } from "../header/header.ts";
import type { HeaderWatch } from "./header-watch.ts";

const NO_PROOF = status(
  550,
  "7.1",
  "Relaying denied: the message does not show that it is from our tenant",
);
const LOOPS = status(550, "4.6", "Too many hops, this message loops");

/** The refusal of a message that was read to its end; undefined when its header section is as it should be. */
export function judgeHeader(
  { tooLong }: Pick<HeaderWatch, "tooLong">,
  { hops }: Pick<HeaderReader, "hops">,
  receivedHeadersMax: number,
): Status | undefined {
  if (tooLong) return HEADER_TOO_BIG;
  return hops > receivedHeadersMax ? LOOPS : undefined;
}

/**
 * The refusal of a message that does not bring the proofs which its header section left open. `examine` tells what
 * its signatures are worth; it is asked only if one of them may be a proof.
 */
export async function judgeProofs(
  open: ReadonlySet<Proof>,
  examine?: () => Promise<Examined>,
): Promise<Status | undefined> {
  for (const { dkim, headers = [] } of open) {
    const signed = dkim && examine && (await judgeTenant(await examine(), dkim));
    if (signed?.kind === "proven") continue;
    if (signed?.kind === "unknown") return status(451, "7.0", `Try again later: ${signed.why}`);
    const names = new Set(headers.map(({ name }) => name));
    const missing = Array.from(names, (name) => `no ${name} header with the right value`);
    return noProof(signed === undefined ? missing : [signed.why, ...missing]);
  }
  return undefined;
}

function noProof(missing: readonly string[]): Status {
  return missing.length === 0
    ? NO_PROOF
    : { ...NO_PROOF, text: `${NO_PROOF.text}: ${missing.join(", and ")}` };
}
