// The results of SPF, DKIM and DMARC for a stranger's message, and their text for the hosts after us (RFC 8601).
//
// Invariants:
// - A check that could not be made is "temperror", never "fail": no message is refused because an answer is missing.
// - This holds only for a check that could have confirmed the author. A stranger's broken DNS does not excuse a
//   forged author.
// - Of the text from the wire, our header contains only names of domains and keys.

import { parseDomain } from "../../mail/address.ts";
import { status, type Status } from "../../mail/status.ts";
import { HEADER_TOO_BIG } from "../header/header.ts";
import type { Ask } from "./dns-questions.ts";
import type { Examined } from "./authentication.ts";
import { checkDmarc, type DmarcAnswer, type Result, type Signature } from "./mailauth.ts";
import { AUTHORS_MAX } from "./signatures.ts";

export interface Spf {
  readonly result: Result;
  readonly domain: string;
  readonly identity: "mailfrom" | "helo";
}

/** The DMARC result for the domain of one author. */
interface Dmarc extends DmarcAnswer {
  /** Absent if the message names no author. */
  readonly domain?: string;
}

export interface Results {
  /** Whether the header section is longer than is examined. */
  readonly tooLong: boolean;
  readonly spf: Spf;
  readonly signatures: readonly Signature[];
  readonly unfit: boolean;
  /** The result for the author whose domain asks for most. */
  readonly dmarc: Dmarc;
}

export async function evaluate(
  { readable, tooLong, author, signatures, unfit }: Examined,
  spf: Spf,
  ask: Ask,
): Promise<Results> {
  if (tooLong) return { ...UNEXAMINED, spf: { ...spf, result: "none" } };
  const answers: Dmarc[] = [];
  for (const domain of author.domains.slice(0, AUTHORS_MAX)) {
    answers.push({ domain, ...(await dmarcOf(domain, { spf, signatures }, ask)) });
  }
  const tooMany = !readable || author.domains.length > AUTHORS_MAX;
  const [worst = NOBODY] = answers.toSorted((a, b) => weight(b) - weight(a));
  const dmarc: Dmarc = tooMany ? { result: "permerror" } : worst;
  return { tooLong, spf, signatures, unfit, dmarc };
}

const BY_WEIGHT: readonly Result[] = ["none", "pass", "permerror", "temperror", "fail"];

const NOBODY: Dmarc = { result: "none" };
const UNEXAMINED = { tooLong: true, signatures: [], unfit: false, dmarc: NOBODY };

/** The weight of a result. A failure has the largest weight if its domain asks for rejection. */
function weight(answer: Dmarc): number {
  return isRejected(answer) ? BY_WEIGHT.length : BY_WEIGHT.indexOf(answer.result);
}

function isRejected({ result, policy }: DmarcAnswer): boolean {
  return result === "fail" && policy === "reject";
}

interface Shown {
  readonly spf: Spf;
  readonly signatures: readonly Signature[];
}

async function dmarcOf(domain: string, shown: Shown, ask: Ask): Promise<DmarcAnswer> {
  const answer = await checkDmarc({ domain, ...domainsOf(shown, ["pass"]) }, ask);
  if (answer.result !== "fail") return answer;
  const atBest = await checkDmarc({ domain, ...domainsOf(shown, ["pass", "temperror"]) }, ask);
  return atBest.result === "fail" ? answer : { result: "temperror" };
}

function domainsOf({ spf, signatures }: Shown, good: readonly Result[]) {
  return {
    spf: good.includes(spf.result) ? [spf.domain] : [],
    dkim: signatures.filter(({ result }) => good.includes(result)).map(({ domain }) => domain),
  };
}

/** The refusal by a relay that enforces DMARC; undefined if it accepts the message. */
export function refusalOf({ tooLong, dmarc }: Results): Status | undefined {
  if (tooLong) return HEADER_TOO_BIG;
  if (dmarc.result === "permerror" && dmarc.domain === undefined) return TOO_MANY;
  if (!isRejected(dmarc)) return undefined;
  return status(
    550,
    "7.26",
    `Unauthenticated mail from ${dmarc.domain ?? "nobody"} is not accepted, as its DMARC policy wants it`,
  );
}

const TOO_MANY = status(550, "7.26", "The author of the message cannot be told");

/** "spf=pass dkim=none dmarc=fail", for the log. */
export function summaryOf({ spf, signatures, unfit, dmarc }: Results): string {
  const best = signatures.find(({ result }) => result === "pass") ?? signatures[0];
  const dkim = best?.result ?? (unfit ? "permerror" : "none");
  return `spf=${spf.result} dkim=${dkim} dmarc=${dmarc.result}`;
}

/** The whole field, with CRLF at its end. */
export function resultsHeader(hostname: string, results: Results): string {
  const { spf, signatures, unfit, dmarc } = results;
  const unsigned = unfit ? "dkim=permerror" : "dkim=none";
  const methods = [
    [`spf=${spf.result}`, property(`smtp.${spf.identity}`, spf.domain)],
    ...(signatures.length === 0 ? [[unsigned]] : signatures.map(signatureWords)),
    [
      `dmarc=${dmarc.result}`,
      ...(dmarc.policy === undefined ? [] : [`(p=${dmarc.policy})`]),
      property("header.from", dmarc.domain),
    ],
  ];
  const lines = methods.map((words) => words.filter((word) => word !== "").join(" "));
  return `Authentication-Results: ${hostname};\r\n\t${lines.join(";\r\n\t")}\r\n`;
}

function signatureWords({ result, domain, selector, start }: Signature): string[] {
  const b = /^[A-Za-z0-9+/=]{1,8}$/.test(start) ? `header.b="${start}"` : "";
  return [
    `dkim=${result}`,
    property("header.d", domain.toLowerCase()),
    property("header.s", selector.toLowerCase()),
    b,
  ];
}

/** A name of the DNS as it is; any other value is left out (RFC 8601 2.2). */
function property(name: string, value: string | undefined): string {
  const isName = value !== undefined && !value.startsWith("[") && parseDomain(value) === value;
  return isName ? `${name}=${value}` : "";
}
