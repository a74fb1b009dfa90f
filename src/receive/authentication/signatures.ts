// Chooses the part of a header section for the DKIM verifier: the signatures that may matter, and the fields that
// they cover. A verifier compares every name of h= with every field, once for each signature. Without a limit, one
// message would stop the relay for minutes.
//
// Invariants:
// - Leaving a field or signature out can only make a signature fail.
// - Signatures that confirm the author come first, so that any number of others cannot displace them.

import type { Author } from "./author.ts";
import type { Field } from "../../mail/header-fields.ts";

/** The input of the verifier. */
export interface Signed {
  /** The header section for the verifier, with the empty line at its end. */
  readonly header: Buffer;
  /** The names of the keys in the DNS. */
  readonly keys: ReadonlySet<string>;
}

const SIGNATURES_MAX = 6;
const SIGNATURE_MAX = 8192;
/** Names in h=, at most. Each is searched among all fields. */
const COVERS_MAX = 200;
/** Limits for all signatures together: octets, fields and lines that they cover. */
const COVERED_MAX = 256 * 1024;
const FIELDS_MAX = 500;
const LINES_MAX = 4000;
/** Authors for whom signatures are searched, at most. Honest messages have fewer. */
export const AUTHORS_MAX = 4;

interface Candidate {
  readonly field: Field;
  readonly domain: string;
  readonly selector: string;
  readonly covers: readonly string[];
  /** How closely it is related to the author; higher is closer. */
  readonly rank: number;
}

/** The input of the verifier; undefined if no signature is suitable. */
export function signedPart(fields: readonly Field[], author: Author): Signed | undefined {
  const authors = author.domains.slice(0, AUTHORS_MAX);
  const candidates = fields.flatMap((field) => candidateOf(field, authors) ?? []);
  const chosen = candidates.toSorted((a, b) => b.rank - a.rank).slice(0, SIGNATURES_MAX);
  if (chosen.length === 0) return undefined;
  const own = new Set(chosen.map(({ field }) => field));
  const covered = new Set(["from", ...chosen.flatMap(({ covers }) => covers)]);
  // Some readers take a line that is not a field as part of the field before it.
  const takesAll = fields.some(({ wellFormed }) => !wellFormed);
  const relevant = fields.filter((field) =>
    field.name === "dkim-signature" ? own.has(field) : takesAll || covered.has(field.name),
  );
  if (relevant.length > FIELDS_MAX) return undefined;
  const header = Buffer.concat([...relevant.map(({ bytes }) => bytes), CRLF]);
  if (header.length > COVERED_MAX || linesOf(header) > LINES_MAX) return undefined;
  const keys = new Set(chosen.map(({ selector, domain }) => `${selector}._domainkey.${domain}`));
  return { header, keys };
}

const CRLF = Buffer.from("\r\n");

/** The tags of a signature that decide whether it is verified. The verifier decides whether it is valid. */
function candidateOf(field: Field, authors: readonly string[]): Candidate | undefined {
  if (field.name !== "dkim-signature" || field.bytes.length > SIGNATURE_MAX) return undefined;
  const tags = new Map<string, string>();
  for (const [, name = "", value = ""] of field.value.matchAll(TAG)) {
    tags.set(name, value.replaceAll(/[ \t]/g, "").toLowerCase());
  }
  const domain = tags.get("d");
  const selector = tags.get("s");
  if (domain === undefined || selector === undefined) return undefined;
  const covers = (tags.get("h") ?? "").split(":");
  if (covers.length > COVERS_MAX) return undefined;
  return { field, domain, selector, covers, rank: rankOf(domain, authors) };
}

/** The tags that we read. */
const TAG = /(?<=^|;)\s*([dhs])\s*=([^;]*)/g;

function rankOf(domain: string, domains: readonly string[]): number {
  if (domains.some((one) => one === domain)) return 3;
  if (domains.some((one) => one.endsWith(`.${domain}`) || domain.endsWith(`.${one}`))) return 2;
  if (domains.some((one) => domain.startsWith(`${one.replaceAll(".", "-")}.`))) return 2;
  return domains.some((one) => haveCommonEnd(one, domain)) ? 1 : 0;
}

/** Whether the last two labels are the same: then the domains may belong to one organisation. */
function haveCommonEnd(a: string, b: string): boolean {
  return a.split(".").slice(-2).join(".") === b.split(".").slice(-2).join(".");
}

function linesOf(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}
