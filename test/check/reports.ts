// Reports of dry runs, from what a case is about.

import type { CheckedDelivery, CheckedRecipient, CheckReport } from "../../src/check/check.ts";
import { status } from "../../src/mail/status.ts";
import { ACCEPTED } from "../../src/receive/judge-recipient.ts";
import { mailbox, routedDelivery } from "../support/build.ts";

export const DENIED = status(550, "7.1", "Relaying denied");
export const LATER = status(451, "4.3", "Try again later");

/** bob@example.com, whom no router was asked about. */
export function checked(given: Partial<CheckedRecipient> = {}): CheckedRecipient {
  return {
    address: "bob@example.com",
    outcome: "routed",
    gate: { kind: "accept", rule: "local_domains", why: "example.com is in local_domains" },
    reply: ACCEPTED,
    deliveries: [],
    troubles: [],
    discarded: [],
    trace: [],
    ...given,
  };
}

export function refused(kind: "refuse" | "defer", given: Partial<CheckedRecipient> = {}) {
  const reply = kind === "refuse" ? DENIED : LATER;
  const outcome = kind === "refuse" ? "failed" : "deferred";
  return checked({ outcome, reply, gate: { kind, rule: "none", why: "no rule", reply }, ...given });
}

export function delivery(given: Partial<CheckedDelivery> = {}): CheckedDelivery {
  const routed = routedDelivery("bob@example.com", { router: "accounts", transport: "google" });
  return { ...routed, unsafe: false, ...given };
}

export function report(
  recipients: readonly CheckedRecipient[],
  given: Partial<CheckReport> = {},
): CheckReport {
  return {
    client: { address: "192.0.2.1", helo: "client.example.org" },
    sender: mailbox("alice@example.org"),
    recipients,
    batches: [],
    proofs: [],
    claims: [],
    ...given,
  };
}
