// Decides whether SPF or DKIM vouches for the sender in an envelope.

import type { Mailbox } from "../../mail/envelope.ts";
import { parseDomain } from "../../mail/address.ts";
import { isAligned, type Signature } from "./mailauth.ts";
import type { Spf } from "./results.ts";

/** The results of SPF and DKIM that may confirm the sender. */
export interface SenderEvidence {
  readonly spf: Pick<Spf, "result" | "identity">;
  readonly signatures: readonly Signature[];
}

/** Whether the sender is vouched for; undefined without an answer of the DNS. */
export async function isVouchedFor(
  sender: Mailbox,
  { spf, signatures }: SenderEvidence,
): Promise<boolean | undefined> {
  if (spf.identity === "mailfrom" && spf.result === "pass") return true;
  let isOpen = spf.result === "temperror";
  for (const { result, domain, partial, testing } of signatures) {
    const signer = domain.toLowerCase();
    const counts = (result === "pass" || result === "temperror") && !partial && !testing;
    if (!counts || parseDomain(signer) !== signer) continue;
    if (!(await isAligned(sender.domain, signer))) continue;
    if (result === "pass") return true;
    isOpen = true;
  }
  return isOpen ? undefined : false;
}
