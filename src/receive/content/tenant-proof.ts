// The proof that a message comes from our tenant: a header with a secret, or a DKIM signature of a domain of ours.
// The secret is removed.
//
// Invariants:
// - A message without a proof that it must bring is refused. If the proof cannot be checked now, the message must
//   come again.
// - A message without a proof that it claims counts as a stranger's.

import { timingSafeEqual } from "node:crypto";
import type { Finding, Scan, Scanner, UnwantedFields } from "../../contract/scanner.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { status, type Status } from "../../mail/status.ts";
import { CROWDED_OUT } from "./crowded-out.ts";
import type { Examined } from "../authentication/authentication.ts";
import { judgeTenant } from "../authentication/tenant.ts";
import type { Proof, Secret } from "../gate/gate.ts";
import type { Examinations, Question } from "./examinations.ts";
import type { Inspected } from "./inspected.ts";

const NO_PROOF = status(
  550,
  "7.1",
  "Relaying denied: the message does not show that it is from our tenant",
);
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/;

export function tenantScanner(examinations: Examinations): Scanner<Inspected> {
  return {
    name: "tenant proof",
    onError: "defer",
    begin(message) {
      const { proofs, claims, secrets } = message;
      if (proofs.length + claims.length + secrets.length === 0) return undefined;
      const isSigned = [...proofs, ...claims].some(({ dkim }) => dkim !== undefined);
      return new TenantScan(message, isSigned ? examinations.ask(message) : undefined);
    },
  };
}

class TenantScan implements Scan {
  readonly unwanted: UnwantedFields;
  /** Proofs that the message has not shown yet. */
  readonly #unproven: Set<Proof>;
  readonly #claims: ReadonlySet<Proof>;
  readonly #secrets: readonly Secret[];
  readonly #question: Question | undefined;
  #isHeaderOver = false;

  constructor({ proofs, claims, secrets }: Inspected, question: Question | undefined) {
    this.#unproven = new Set([...proofs, ...claims]);
    this.#claims = new Set(claims.filter((claim) => !proofs.includes(claim)));
    const asked = [...this.#unproven].flatMap(({ headers = [] }) => headers);
    this.#secrets = [...new Set([...asked, ...secrets])];
    this.#question = question;
    this.unwanted = {
      names: this.#secrets.map(({ name }) => name),
      isUnwanted: (field) => this.#isSecret(field),
    };
  }

  /** Whether no open proof keeps the message from going out before its end. */
  mayGo(): boolean {
    const isOpen = (proof: Proof) =>
      !this.#claims.has(proof) || proof.dkim !== undefined || !this.#isHeaderOver;
    return !this.#unproven.values().some(isOpen);
  }

  header(): void {
    this.#isHeaderOver = true;
    // A header was the proof, so the signatures are not needed.
    if (this.#unproven.size === 0) this.#question?.drop();
  }

  end(): MaybePromise<Finding> {
    if (this.#unproven.size === 0) return { kind: "pass" };
    return this.#question?.isCrowdedOut === true ? CROWDED_OUT : this.#judge();
  }

  async #judge(): Promise<Finding> {
    const question = this.#question;
    const examine = question && (() => question.answer());
    const unshown = this.#claims.intersection(this.#unproven);
    const denied = await judgeProofs(this.#unproven.difference(unshown), examine);
    if (denied !== undefined) return { kind: "refuse", status: denied };
    const doubted = await judgeProofs(unshown, examine);
    if (doubted === undefined) return { kind: "pass" };
    // A missing answer of the DNS is neither yes nor no.
    if (doubted.code < 500) return { kind: "refuse", status: doubted };
    return { kind: "pass", relayed: false };
  }

  #isSecret(field: string): boolean {
    const [start, name] = FIELD_NAME.exec(field) ?? [];
    const named = this.#secrets.filter((secret) => secret.name === name?.toLowerCase());
    if (start === undefined || named.length === 0) return false;
    const text = field.slice(start.length).replaceAll("\r\n", "").trim();
    const given = Buffer.from(text, "latin1");
    const found = named.filter(({ value }) => isSame(given, Buffer.from(value)));
    for (const proof of this.#unproven) {
      if (proof.headers?.some((header) => found.includes(header)) === true)
        this.#unproven.delete(proof);
    }
    return found.length > 0;
  }
}

/** Compares in a time that does not reveal how much is right. */
function isSame(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/**
 * The refusal of a message without the proofs that its header section left open. `examine` returns the results of its
 * signatures; it is called only if one of them may be a proof.
 */
async function judgeProofs(
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
