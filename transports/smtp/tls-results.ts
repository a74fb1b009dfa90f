// The result of a connection under the destination's published TLS policy, for its reports (RFC 8460 4.3).
//
// Invariant: only TLS counts. A host that cannot be reached, or is busy, has not failed at TLS.

import { given } from "../../src/base/given.ts";
import type { Connected, Conversation } from "../../src/smtp/client/client.ts";
import { isListed, policyText } from "../../src/tls/policy-text.ts";
import type { ShownPolicy, TlsSession, TlsSessions } from "../../src/tls/sessions.ts";
import { errorCode } from "../../src/base/error-code.ts";
import { certificateResult, type TlsFailure } from "../../src/tls/results.ts";
import type { TlsaRecord } from "../../src/dns/dns.ts";
import { type Barred, type Published, UNLISTED } from "./policy.ts";
import type { Target } from "./targets.ts";

type Failed = Extract<Connected, { kind: "failed" }>;

/** Counts a connection in which TLS was tried or should have been tried. */
export function countSession(
  sessions: TlsSessions | undefined,
  target: Target,
  connected: Connected,
): void {
  const { domain, policy } = target;
  const { published } = policy;
  if (sessions === undefined || domain === undefined || published === undefined) return;
  if (connected.kind === "failed" && !isAboutTls(connected)) return;
  sessions.ended(domain, () => sessionOf(target, domain, published, connected));
}

/** Counts a host that the relay did not connect to because of the destination's published policy. */
export function countBarred(sessions: TlsSessions | undefined, { because }: Barred): void {
  if (because?.domain === undefined) return;
  const { host, domain, published, failure } = because;
  const policy = shownPolicy(published, domain);
  sessions?.ended(domain, () => ({ policy, failure: { ...failure, host } }));
}

function isAboutTls({ error, tlsFailed, status }: Failed): boolean {
  return status.remote !== true && (tlsFailed || error === "tls_required");
}

function sessionOf(
  target: Target,
  domain: string,
  published: Published,
  connected: Connected,
): TlsSession {
  const policy = shownPolicy(published, domain);
  const failure =
    connected.kind === "failed"
      ? failureOf(connected)
      : weaknessOf(connected.conversation, target, published);
  if (failure === undefined) return { policy };
  const { from } = connected.kind === "failed" ? connected : connected.conversation;
  const where = { host: target.name, to: target.address, ...given({ from }) };
  return { policy, failure: { ...failure, ...where } };
}

function failureOf({ status: { text: reason, enhanced }, cause }: Failed): TlsFailure {
  if (enhanced === "4.7.4") return { result: "starttls-not-supported", reason };
  return { result: certificateResult(errorCode(cause) ?? "") ?? "validation-failure", reason };
}

/** Returns the violation of the published policy by a connection that mail went over, or undefined. */
function weaknessOf(
  conversation: Conversation,
  { name, policy: { testing } }: Target,
  published: Published,
): TlsFailure | undefined {
  if (!conversation.secured) return { result: "starttls-not-supported" };
  if (published.type === "tlsa" && published.unusable === true) return { result: "tlsa-invalid" };
  if (testing === undefined) return undefined;
  if (!isListed(name, testing)) return UNLISTED;
  const { certificateProblem: reason } = conversation;
  return reason === undefined
    ? undefined
    : { result: certificateResult(reason) ?? "validation-failure", reason };
}

function shownPolicy(published: Published, domain: string): ShownPolicy {
  switch (published.type) {
    case "none":
      return { type: "no-policy-found", domain, lines: [], mx: [] };
    case "sts": {
      const { policy } = published;
      return {
        type: "sts",
        domain,
        lines: policyText(policy).trimEnd().split("\n"),
        mx: policy.mx,
      };
    }
    case "tlsa": {
      const { base, records } = published;
      return { type: "tlsa", domain: base, lines: records.map(recordLine), mx: [] };
    }
  }
}

function recordLine({ usage, selector, matching, association }: TlsaRecord): string {
  return `${usage} ${selector} ${matching} ${association.toString("hex").toUpperCase()}`;
}
