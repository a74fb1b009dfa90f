// The TLS that a connection to a host must have, and the origin of that rule. If `tls` leaves room, the origin is the
// policy that the destination has published: DANE (RFC 7672), else MTA-STS (RFC 8461 2). If not, it is `tls` itself.
//
// Invariants:
// - A published policy only ever asks for more TLS than `tls` does.
// - If the look-up of a policy fails, the host is barred until it succeeds. No mail goes there with less TLS.
//   (Before the first contact, MTA-STS cannot tell a failure from a missing policy.)

import type { Services, TlsRule } from "../../src/contract/contract.ts";
import type { TlsaRecord } from "../../src/dns/dns.ts";
import { type DaneIdentity, usableRecords } from "../../src/tls/dane.ts";
import type { TlsMode } from "../../src/smtp/client/client.ts";
import type { RetryError } from "../../src/mail/host.ts";
import { endOf, type KeptPolicy } from "../../src/tls/sts-policies.ts";
import { isListed } from "../../src/tls/policy-text.ts";
import { status, type Status } from "../../src/mail/status.ts";
import type { TlsFailure } from "../../src/tls/results.ts";
import type { SmtpOptions } from "./resolved-options.ts";

export interface TlsPolicy extends TlsRule {
  readonly tls: TlsMode;
  readonly dane?: DaneIdentity;
  /** Connections made under policies with the same key are interchangeable. */
  readonly key: string;
  /** Suffix of the host's hint key. A host may work for other mail and fail under this policy. */
  readonly hint: string;
  /** MTA-STS policy in testing mode: violations are reported, and the mail is delivered. */
  readonly testing?: KeptPolicy;
  /** Absent if the destination's policies were not looked up, or not all of them. */
  readonly published?: Published;
}

/** The destination's published policy, for its TLS reports. */
export type Published =
  | { readonly type: "none" }
  | { readonly type: "sts"; readonly policy: KeptPolicy }
  | {
      readonly type: "tlsa";
      /** The domain of the records. */
      readonly base: string;
      /** The usable records. If none is usable: all of them, and `unusable` is set. */
      readonly records: readonly TlsaRecord[];
      readonly unusable?: true;
    };

/** The relay must not connect to the host. */
export interface Barred extends TlsRule {
  readonly rule: "barred";
  readonly status: Status;
  readonly error: RetryError;
  /** The published policy that bars the host. Absent if another reason does. */
  readonly because?: {
    readonly host: string;
    readonly domain: string | undefined;
    readonly published: Published;
    readonly failure: TlsFailure;
  };
}

/** The facts about a host that its policy depends on. */
export interface PolicySubject {
  readonly name: string;
  readonly port: number;
  /** As in Host. */
  readonly domain?: string;
  readonly secure?: true;
  readonly canonical?: string;
}

type PolicyOptions = Pick<SmtpOptions, "tls" | "dane" | "mta_sts">;
type PolicyServices = Pick<Services, "resolver" | "mtaSts">;

export const UNLISTED: TlsFailure = {
  result: "validation-failure",
  reason: "the host is not in the policy",
};

type LocalMode = Exclude<TlsMode, "dane">;

const LOCAL_REASONS: Readonly<Record<LocalMode, string>> = {
  none: "none",
  opportunistic: "opportunistic: no policy",
  required: "required, with any certificate",
  verify: "required, with a valid certificate",
};

/** Returns the policy of `tls` alone. */
export function localPolicy(tls: LocalMode): TlsPolicy {
  const hint = tls === "required" || tls === "verify" ? " with TLS" : "";
  return { tls, rule: tls, key: tls, hint, why: LOCAL_REASONS[tls] };
}

export class Policies {
  readonly #options: PolicyOptions;
  readonly #services: PolicyServices;
  /** The policy of `tls` alone. */
  readonly local: TlsPolicy;
  readonly #unpublished: TlsPolicy;

  constructor(options: PolicyOptions, services: PolicyServices) {
    this.#options = options;
    this.#services = services;
    this.local = localPolicy(options.tls);
    this.#unpublished = { ...this.local, published: { type: "none" } };
  }

  /** Returns the policy for a host. It looks up nothing if no published policy can apply. */
  of(subject: PolicySubject): TlsPolicy | Promise<TlsPolicy | Barred> {
    const { tls, dane, mta_sts: sts } = this.#options;
    if (tls !== "opportunistic" && tls !== "required") return this.local;
    const signed = dane && subject.secure === true;
    const domain = sts ? subject.domain : undefined;
    return signed || domain !== undefined ? this.#published(subject, signed, domain) : this.local;
  }

  async #published(
    subject: PolicySubject,
    signed: boolean,
    domain: string | undefined,
  ): Promise<TlsPolicy | Barred> {
    const dane = signed ? await this.#dane(subject) : undefined;
    // DANE decides, unless all that it says is "some TLS".
    if (dane !== undefined && ("status" in dane || dane.tls === "dane")) return dane;
    const policy = domain === undefined ? undefined : await this.#services.mtaSts.policyOf(domain);
    if (policy === "unknown") return unknown(domain);
    if (policy?.mode === "enforce") return enforced(policy, subject.name);
    if (dane !== undefined) return dane;
    if (policy?.mode === "testing") {
      const why = `${this.local.tls}: MTA-STS testing, ${until(policy)}`;
      return { ...this.local, testing: policy, published: { type: "sts", policy }, why };
    }
    // The report "no policy" is true only if DANE and MTA-STS are both in use.
    return domain === undefined || !this.#options.dane ? this.local : this.#unpublished;
  }

  /** Looks at the end of the CNAMEs, else at the name itself (RFC 7672 2.2). Undefined if the host has no DANE. */
  async #dane(subject: PolicySubject): Promise<TlsPolicy | Barred | undefined> {
    const { name, canonical, port } = subject;
    for (const base of canonical === undefined ? [name] : [canonical, name]) {
      const answer = await this.#services.resolver.tlsa(`_${port}._tcp.${base}`);
      if (answer.kind === "temporary") {
        const text = `The TLSA records of ${base} cannot be looked up at the moment`;
        const why = `TLSA of ${base}: ${answer.error}`;
        const failure = { result: "dnssec-invalid", reason: answer.error } as const;
        const published = { type: "tlsa", base, records: [] } as const;
        const because = { host: name, domain: subject.domain, published, failure };
        return { rule: "barred", status: status(451, "7.5", text), error: "lookup", why, because };
      }
      if (answer.kind === "found" && answer.secure === true) {
        return danePolicy(subject, base, answer.records);
      }
    }
    return undefined;
  }
}

function danePolicy(
  { name, domain }: PolicySubject,
  base: string,
  all: readonly TlsaRecord[],
): TlsPolicy {
  const records = usableRecords(all);
  const hint = " with DANE";
  if (records.length === 0) {
    const why = `DANE: ${count(all)}, none usable: TLS with any certificate`;
    const published = { type: "tlsa", base, records: all, unusable: true } as const;
    return { tls: "required", rule: "dane", key: "required", hint, why, published };
  }
  const names = [...new Set([base, name, ...(domain === undefined ? [] : [domain])])];
  const why = `DANE: ${count(records)}, secure`;
  const key = `dane ${names.join(" ")} ${records.map(recordText).join(" ")}`;
  const published = { type: "tlsa", base, records } as const;
  return { tls: "dane", rule: "dane", dane: { base, names, records }, key, hint, why, published };
}

function recordText({ usage, selector, matching, association }: TlsaRecord): string {
  return `${usage}${selector}${matching}${association.toString("base64")}`;
}

function count({ length }: readonly TlsaRecord[]): string {
  return `${length} TLSA record${length === 1 ? "" : "s"}`;
}

function enforced(policy: KeptPolicy, host: string): TlsPolicy | Barred {
  const published = { type: "sts", policy } as const;
  if (isListed(host, policy)) {
    const why = `MTA-STS enforce, ${until(policy)}`;
    return { tls: "verify", rule: "mta-sts", key: "verify", hint: " with MTA-STS", why, published };
  }
  const text = `${host} is not in the MTA-STS policy of ${policy.domain}`;
  const why = `not in the MTA-STS policy, ${until(policy)}`;
  const because = { host, domain: policy.domain, published, failure: UNLISTED };
  return { rule: "barred", status: status(451, "7.5", text), error: "tls_required", why, because };
}

/** Bars the host until the policy of its domain is known. */
function unknown(domain: string | undefined): Barred {
  const why = `the MTA-STS policy of ${domain} is waited for`;
  const text = `Waits for the MTA-STS policy of ${domain}: too many policies are being fetched`;
  return { rule: "barred", status: status(451, "4.3", text), error: "lookup", why };
}

function until(policy: KeptPolicy): string {
  return `cached until ${new Date(endOf(policy)).toISOString()}`;
}
