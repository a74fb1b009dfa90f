// Which TLS a host has to be spoken to with, and by whose word: the postmaster's (`tls`), or what the destination
// has published where the postmaster leaves room for it: DANE (RFC 7672).
//
// Invariants: a published policy only ever asks for more than `tls` does. What may have been published and cannot be
// found out bars the host for now: no mail goes there with less.

import type { RetryError, Services } from "../../src/contract.ts";
import type { TlsaRecord } from "../../src/dns/resolver.ts";
import { type DaneIdentity, usableRecords } from "../../src/smtp/dane.ts";
import type { TlsMode } from "../../src/smtp/client.ts";
import { status, type Status } from "../../src/status.ts";
import type { SmtpOptions } from "./settings.ts";

export interface TlsPolicy {
  readonly tls: TlsMode;
  readonly dane?: DaneIdentity;
  /** Connections made under policies of one key are as good as each other. */
  readonly key: string;
  /** What stands behind the host in the key of its hint: it may be good for some mail, and not for this. */
  readonly hint: string;
  /** "DANE: 2 TLSA records, secure". */
  readonly why: string;
}

/** The host is not to be spoken to at all. */
export interface Barred {
  readonly status: Status;
  readonly error: RetryError;
}

/** A host as far as its policy goes. */
export interface PolicySubject {
  readonly name: string;
  readonly port: number;
  /** As in Host. */
  readonly domain?: string;
  readonly secure?: true;
  readonly canonical?: string;
}

type PolicyOptions = Pick<SmtpOptions, "tls" | "dane">;

const LOCAL_REASONS: Readonly<Record<TlsMode, string>> = {
  none: 'none: tls = "none"',
  opportunistic: "opportunistic: no policy",
  required: 'required: tls = "required"',
  verify: 'verify: tls = "verify"',
  dane: "DANE",
};

/** By the postmaster's word alone. */
export function localPolicy(tls: TlsMode): TlsPolicy {
  const hint = tls === "required" || tls === "verify" ? " with TLS" : "";
  return { tls, key: tls, hint, why: LOCAL_REASONS[tls] };
}

export class Policies {
  readonly #options: PolicyOptions;
  readonly #services: Pick<Services, "resolver">;
  /** By the postmaster's word alone. */
  readonly local: TlsPolicy;

  constructor(options: PolicyOptions, services: Pick<Services, "resolver">) {
    this.#options = options;
    this.#services = services;
    this.local = localPolicy(options.tls);
  }

  /** Without a question to anybody if nothing can have been published. */
  of(subject: PolicySubject): TlsPolicy | Promise<TlsPolicy | Barred> {
    const { tls, dane } = this.#options;
    const isOpen = tls === "opportunistic" || tls === "required";
    return isOpen && dane && subject.secure === true ? this.#published(subject) : this.local;
  }

  async #published(subject: PolicySubject): Promise<TlsPolicy | Barred> {
    return (await this.#dane(subject)) ?? this.local;
  }

  /** RFC 7672 2.2: at the end of the CNAMEs, else at the name itself. Undefined: there is no DANE. */
  async #dane(subject: PolicySubject): Promise<TlsPolicy | Barred | undefined> {
    const { name, canonical, port } = subject;
    for (const base of canonical === undefined ? [name] : [canonical, name]) {
      const answer = await this.#services.resolver.tlsa(`_${port}._tcp.${base}`);
      if (answer.kind === "temporary") {
        const text = `The TLSA records of ${base} cannot be looked up at the moment`;
        return { status: status(451, "7.5", text), error: "lookup" };
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
  published: readonly TlsaRecord[],
): TlsPolicy {
  const records = usableRecords(published);
  const hint = " with DANE";
  if (records.length === 0) {
    const why = `DANE: ${count(published)}, none usable: TLS with any certificate`;
    return { tls: "required", key: "required", hint, why };
  }
  const names = [...new Set([base, name, ...(domain === undefined ? [] : [domain])])];
  const why = `DANE: ${count(records)}, secure`;
  const key = `dane ${names.join(" ")} ${records.map(recordText).join(" ")}`;
  return { tls: "dane", dane: { base, names, records }, key, hint, why };
}

function recordText({ usage, selector, matching, association }: TlsaRecord): string {
  return `${usage}${selector}${matching}${association.toString("base64")}`;
}

function count({ length }: readonly TlsaRecord[]): string {
  return `${length} TLSA record${length === 1 ? "" : "s"}`;
}
