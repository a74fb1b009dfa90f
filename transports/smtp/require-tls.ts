// Mail that must not travel without TLS (RFC 8689): it goes only to a host whose name somebody vouches for, whose
// certificate is valid for that name, and who offers REQUIRETLS itself.
//
// Invariant: a policy in here is never weaker than what the transport would ask for anyway. What a host cannot do is
// final for the message if no host can do it; what only went wrong is not.

import type { Envelope } from "../../src/mail/envelope.ts";
import type { Connected, Conversation } from "../../src/smtp/client/client.ts";
import { status, type Status } from "../../src/mail/status.ts";
import type { Barred, Policies, PolicySubject, TlsPolicy } from "./policy.ts";

/** RFC 8689 7: X.7.30. */
function cannot(why: string): Status {
  return status(550, "7.30", `REQUIRETLS support required: ${why}`);
}

/** Of one transport, for such mail. */
export class RequireTlsPolicies {
  readonly #policies: Policies;

  constructor(policies: Policies) {
    this.#policies = policies;
  }

  async of(subject: PolicySubject): Promise<TlsPolicy | Barred> {
    const policy = await this.#policies.of(subject);
    if ("status" in policy || policy.tls === "dane") return policy;
    const { name, domain, secure } = subject;
    // RFC 8689 4.2.1: an MX record counts if DNSSEC or MTA-STS vouches for it; a host that was written down does.
    const isVouchedFor = domain === undefined || secure === true || policy.rule === "mta-sts";
    const why = policy.tls === "none" ? "this transport uses no TLS" : `nobody vouches for ${name}`;
    if (policy.tls === "none" || !isVouchedFor) {
      return {
        rule: "barred",
        status: cannot(why),
        error: "tls_required",
        why: `REQUIRETLS: ${why}`,
      };
    }
    return {
      tls: "verify",
      rule: "verify",
      key: "verify",
      hint: " with REQUIRETLS",
      why: "REQUIRETLS",
    };
  }
}

/** What cannot be had from this host, now or later; undefined when it can, or may be had another time. */
export function requireTlsRefusal(
  label: string,
  reached: Extract<Connected, { kind: "failed" }> | Conversation,
): Status | undefined {
  if ("takesRequireTls" in reached) {
    return reached.takesRequireTls ? undefined : cannot(`${label} does not offer it`);
  }
  const { error, cause, status: why } = reached;
  const isRefused = error === "tls_required" || isBadCertificate(cause);
  return isRefused ? cannot(`${label}: ${why.text}`) : undefined;
}

/** By OpenSSL's and Node's names for it: not a connection that broke in the handshake. */
function isBadCertificate(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|ISSUER|LEAF_SIGNATURE|HOSTNAME_MISMATCH/.test(code);
}

/** Delivery to this machine is no transmission: for it the envelope asks for nothing. */
export function withoutRequireTls(envelope: Envelope): Envelope {
  if (envelope.requireTls === undefined) return envelope;
  const { requireTls: _, ...rest } = envelope;
  return rest;
}
