// The only module that uses mailauth: DKIM (RFC 6376, 8301, 8463), SPF (RFC 7208) and DMARC (RFC 9989), each in its
// strict mode and with our own resolver. The callers limit its input: see signatures.ts.

// A driver that is compiled against our types needs them too, and has no tsconfig that includes them.
// oxlint-disable-next-line typescript/triple-slash-reference
/// <reference path="./mailauth-tools.d.ts" />

import { PassThrough, type Readable } from "node:stream";
import type {
  DKIMResult,
  DKIMVerifyOptions,
  DKIMVerifyResult,
  DMARCOptions,
  DMARCResult,
  SPFOptions,
  SPFResult,
} from "mailauth";
import type { LoopShare } from "../../base/loop-share.ts";
import type { Ask } from "./dns-questions.ts";

/** The options with our resolver: mailauth's own type for it lacks MX. */
type Resolving<Options> = Omit<Options, "resolver"> & { readonly resolver?: Ask };

interface Library {
  dkimVerify(message: Readable, how?: Resolving<DKIMVerifyOptions>): Promise<DKIMVerifyResult>;
  spf(question: Resolving<SPFOptions>): Promise<SPFResult>;
  dmarc(question: Resolving<DMARCOptions & { strict?: boolean }>): Promise<DMARCResult | false>;
  getAlignment(from: string, domains: readonly string[], strict: boolean): object | false;
}

/** mailauth is loaded only if a configuration needs it: it is larger than all the rest of the relay. */
async function load(): Promise<Library> {
  const [{ dkimVerify }, { spf }, { dmarc }, { getAlignment }] = await Promise.all([
    import("mailauth/lib/dkim/verify.js"),
    import("mailauth/lib/spf/index.js"),
    import("mailauth/lib/dmarc/index.js"),
    import("mailauth/lib/tools.js"),
  ]);
  return { dkimVerify, spf, dmarc, getAlignment };
}

let loading: Promise<Library> | undefined;

/** Loads mailauth before the first message, which would otherwise wait a tenth of a second. */
export function preload(): Promise<Library> {
  if (loading === undefined) {
    loading = load();
    // The callers that need it get the error.
    loading.catch(nothing);
  }
  return loading;
}

/** The result words of the methods (RFC 8601 2.7). */
export type Result =
  | "none"
  | "pass"
  | "fail"
  | "softfail"
  | "neutral"
  | "policy"
  | "temperror"
  | "permerror";

const RESULTS: readonly Result[] = [
  "none",
  "pass",
  "fail",
  "softfail",
  "neutral",
  "policy",
  "temperror",
  "permerror",
];

function resultOf(word: string): Result {
  return RESULTS.find((known) => known === word) ?? "permerror";
}

/** The result of one DKIM signature. */
export interface Signature {
  readonly result: Result;
  /** Why it does not pass; "" if it passes. */
  readonly why: string;
  /** The d= tag as it was written. */
  readonly domain: string;
  readonly selector: string;
  /** The beginning of the signature itself (RFC 6008). */
  readonly start: string;
  /** Lower-case names of the fields that it covers and that exist. */
  readonly covered: ReadonlySet<string>;
  /** Whether it covers only a part of the body (l=). */
  readonly partial: boolean;
  /** Whether the key is marked as a test (t=y). */
  readonly testing: boolean;
}

/**
 * Octets that the verifier gets at once, and their cost in the share of a turn. Putting a line in canonical form
 * takes a microsecond for each signature.
 */
const SLICE = 4 * 1024;
const SLICE_COST = 64 * 1024;

/** A message on its way through the verifier. */
export interface Verification {
  /** Gives `block` to the verifier, and resolves when it has been processed. Never rejects. */
  write(block: Buffer): Promise<void>;
  /** The results. Rejects if mailauth cannot handle the message. */
  finish(): Promise<readonly Signature[]>;
  abort(): void;
}

/** `now` in milliseconds since the epoch. */
export function verifySignatures(ask: Ask, now: number, share: LoopShare): Verification {
  const source = new PassThrough({ highWaterMark: SLICE });
  let wake = nothing;
  source.on("drain", () => wake());
  source.on("close", () => wake());
  const verified = preload().then((library) =>
    library.dkimVerify(source, { resolver: ask, curTime: new Date(now), strict: true }),
  );
  // A verifier that has failed reads no more, so no writer may wait for it.
  verified.catch(() => source.destroy());
  const turn = () =>
    new Promise<void>((resolve) => {
      share.do(() => {
        share.take(SLICE_COST);
        resolve();
      });
    });
  return {
    async write(block) {
      for (let from = 0; from < block.length && !source.destroyed; from += SLICE) {
        await turn();
        if (source.destroyed || source.write(block.subarray(from, from + SLICE))) continue;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    async finish() {
      if (!source.destroyed) source.end();
      const { results } = await verified;
      return results.flatMap((one) => signatureOf(one) ?? []);
    },
    abort: () => void source.destroy(),
  };
}

/** Reasons that may be shown. Others are internal messages of libraries. */
const PLAIN = /^[A-Za-z ]{0,60}$/;

/** The result; undefined if mailauth reports "no signature". */
function signatureOf(verified: DKIMResult): Signature | undefined {
  const { status, signingDomain, selector, signature, signingHeaders } = verified;
  if (status.result === "none" || signingDomain === undefined) return undefined;
  const comment = status.comment ?? (status.result === "policy" ? "weak key" : "");
  return {
    result: resultOf(status.result),
    why: PLAIN.test(comment) ? comment : status.result,
    domain: signingDomain,
    selector: selector ?? "",
    start: (signature ?? "").slice(0, 8),
    covered: new Set(signingHeaders?.keys.toLowerCase().split(": ")),
    partial: verified.canonBodyLengthLimited === true,
    testing: status.testing === true,
  };
}

interface SpfQuestion {
  /** The reverse-path; "" is <>: then HELO is checked (RFC 7208 2.4). */
  readonly sender: string;
  readonly address: string;
  readonly helo: string;
  /** Our own name. */
  readonly hostname: string;
}

/** RFC 7208 4.6.4 */
const SPF_LOOKUPS_MAX = 10;
const SPF_VOID_MAX = 2;

export async function checkSpf(
  { sender, address, helo, hostname }: SpfQuestion,
  ask: Ask,
): Promise<{ readonly result: Result; readonly domain: string }> {
  const library = await preload();
  const { status, domain } = await library.spf({
    sender,
    ip: address,
    helo,
    mta: hostname,
    resolver: ask,
    strict: true,
    maxResolveCount: SPF_LOOKUPS_MAX,
    maxVoidCount: SPF_VOID_MAX,
  });
  return { result: resultOf(status.result), domain };
}

interface DmarcQuestion {
  /** The author's domain in canonical form. */
  readonly domain: string;
  /** The domains that passed SPF, and those that passed DKIM. */
  readonly spf: readonly string[];
  readonly dkim: readonly string[];
}

export interface DmarcAnswer {
  readonly result: Result;
  /** The policy of the author's domain; absent if it has none, or none is known. */
  readonly policy?: "none" | "quarantine" | "reject";
}

export async function checkDmarc(
  { domain, spf, dkim }: DmarcQuestion,
  ask: Ask,
): Promise<DmarcAnswer> {
  const library = await preload();
  const answer = await library.dmarc({
    headerFrom: domain,
    fromFields: 1,
    spfDomains: [...spf],
    dkimDomains: dkim.map((one) => ({ domain: one })),
    resolver: ask,
    strict: true,
  });
  if (answer === false) return { result: "permerror" };
  const policy = POLICIES.find((known) => known === answer.policy);
  return { result: resultOf(answer.status.result), ...(policy && { policy }) };
}

const POLICIES = ["none", "quarantine", "reject"] as const;

/**
 * Relaxed alignment: whether both domains belong to one organization (RFC 9989 3.2.10.1). Both are in canonical form.
 */
export async function isAligned(domain: string, signer: string): Promise<boolean> {
  const library = await preload();
  return library.getAlignment(domain, [signer], false) !== false;
}

export interface SigningKey {
  readonly domain: string;
  readonly selector: string;
  /** PEM. */
  readonly privateKey: string;
}

export function loadSigner() {
  return import("mailauth/lib/dkim/sign.js");
}

/**
 * The DKIM-Signature field of a message, with its CRLF. It covers the whole body and the fields of these names, with
 * the algorithm of the key. `now` is in milliseconds since the epoch. Rejects if the message cannot be signed.
 */
export async function signMessage(
  message: Buffer | Readable,
  fields: readonly string[],
  { domain: signingDomain, selector, privateKey }: SigningKey,
  now: number,
): Promise<string> {
  const { dkimSign } = await loadSigner();
  const signature = { signingDomain, selector, privateKey };
  // Its type requires on top the values that it reads in the list.
  const { signatures, errors } = await dkimSign(message, {
    ...signature,
    signatureData: [signature],
    headerList: [...fields],
    signTime: new Date(now),
    canonicalization: "relaxed/relaxed",
    strict: true,
  });
  const [failed] = errors;
  if (failed !== undefined) throw new Error("it cannot be signed", { cause: failed.err });
  if (signatures === "") throw new Error("it cannot be signed");
  return signatures;
}

function nothing(): void {}
