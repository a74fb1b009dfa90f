// Mail that must not travel without TLS (RFC 8689). It goes only to a host that offers REQUIRETLS and has a valid
// certificate. DNSSEC, MTA-STS or the configuration must vouch for the name in the certificate.
//
// Invariants:
// - A policy in here is never weaker than the transport's other policies.
// - If all hosts lack an ability that the message needs, the message fails. If something only went wrong, it waits.

import type { Envelope } from "../../src/mail/envelope.ts";
import type { Connected, Conversation } from "../../src/smtp/client/client.ts";
import { status, type Status } from "../../src/mail/status.ts";
import type { Barred, Policies, PolicySubject, TlsPolicy } from "./policy.ts";

/** RFC 8689 7: X.7.30. */
function cannot(why: string): Status {
  return status(550, "7.30", `REQUIRETLS support required: ${why}`);
}

/** The TLS policies of one transport for mail that requires TLS. */
export class RequireTlsPolicies {
  readonly #policies: Policies;

  constructor(policies: Policies) {
    this.#policies = policies;
  }

  async of(subject: PolicySubject): Promise<TlsPolicy | Barred> {
    const policy = await this.#policies.of(subject);
    if ("status" in policy || policy.tls === "dane") return policy;
    const { name, domain, secure } = subject;
    // RFC 8689 4.2.1: a host from an MX record counts if DNSSEC or MTA-STS vouches for it. A configured host counts.
    const isVouchedFor = domain === undefined || secure === true || policy.rule === "mta-sts";
    const why =
      policy.tls === "none"
        ? "this transport uses no TLS"
        : `neither DNSSEC nor MTA-STS vouches for ${name}`;
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

/** Returns the reason why this host can never take the message. Undefined if it can, or may another time. */
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

/** Whether OpenSSL or Node rejected the certificate, by their names for it. A broken connection is another error. */
function isBadCertificate(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|ISSUER|LEAF_SIGNATURE|HOSTNAME_MISMATCH/.test(code);
}

/** Returns the envelope without REQUIRETLS. Delivery within this machine is not a transmission and needs no TLS. */
export function withoutRequireTls(envelope: Envelope): Envelope {
  if (envelope.requireTls === undefined) return envelope;
  const { requireTls: _, ...rest } = envelope;
  return rest;
}
