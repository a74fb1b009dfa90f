// Reads what a domain publishes for MTA-STS: the TXT record that announces a policy (RFC 8461 3.1), and the
// policy itself (RFC 8461 3.2).
//
// Invariant: a text that does not have the form of the RFC is invalid as a whole; no part of it is guessed.

/** The requirements of a domain for mail to it. */
export interface StsPolicy {
  /** `testing`: deliver as without a policy, and report failures. `none`: the domain has withdrawn its policy. */
  readonly mode: "enforce" | "testing" | "none";
  /** "mx.example.com", or "*.example.com" for one label more. Lower case. */
  readonly mx: readonly string[];
  /** The lifetime of the policy in seconds. */
  readonly maxAge: number;
}

/** Patterns of one policy, and characters of one pattern: no name is longer. */
const PATTERNS_MAX = 100;
const LONGEST_PATTERN = 255;
/** A year in seconds (RFC 8461 3.2). */
const LONGEST_AGE = 31_557_600;

const RECORD = /^v=STSv1[ \t]*;/;
const MODES = ["enforce", "testing", "none"] as const;
const MX = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]{1,63}$/;

/** The id of the one STS record among the TXT records of `_mta-sts`; undefined without such a record, or with several. */
export function recordId(texts: readonly string[]): string | undefined {
  const [record, ...others] = texts.filter((text) => RECORD.test(text));
  if (record === undefined || others.length > 0) return undefined;
  const fields = record.split(";").map((field) => field.trim());
  const ids = fields.filter((field) => field.startsWith("id=")).map((field) => field.slice(3));
  return ids.length === 1 && /^[A-Za-z0-9]{1,32}$/.test(ids[0] ?? "") ? ids[0] : undefined;
}

/** Throws with the reason if the text is not a valid policy. */
export function parsePolicy(text: string): StsPolicy {
  const fields = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "") continue;
    const [, key, written] = /^([A-Za-z0-9][\w.-]{0,31})[ \t]*:(.*)$/.exec(line) ?? [];
    if (key === undefined || written === undefined) throw new Error(`no field: ${quoted(line)}`);
    const value = written.trim();
    const known = fields.get(key);
    if (known === undefined) fields.set(key, [value]);
    else known.push(value);
  }
  // Only mx may repeat: of any other field the first counts.
  const first = (key: string) => fields.get(key)?.[0] ?? "";
  if (first("version") !== "STSv1") throw new Error(`version is ${quoted(first("version"))}`);
  const mode = MODES.find((word) => word === first("mode"));
  if (mode === undefined) throw new Error(`mode is ${quoted(first("mode"))}`);
  if (!/^\d{1,10}$/.test(first("max_age"))) {
    throw new Error(`max_age is ${quoted(first("max_age"))}`);
  }
  const mx = (fields.get("mx") ?? []).map((pattern) => pattern.toLowerCase());
  if (mx.length > PATTERNS_MAX) throw new Error(`more than ${PATTERNS_MAX} mx`);
  const odd = mx.find((pattern) => pattern.length > LONGEST_PATTERN || !MX.test(pattern));
  if (odd !== undefined) throw new Error(`mx is ${quoted(odd)}`);
  if (mode !== "none" && mx.length === 0) throw new Error("mx is missing");
  return { mode, mx, maxAge: Math.min(Number(first("max_age")), LONGEST_AGE) };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

/** RFC 8461 4.1: the name itself, or one label in the place of the star. */
export function isListed(host: string, { mx }: Pick<StsPolicy, "mx">): boolean {
  const name = host.toLowerCase();
  const parent = name.slice(name.indexOf(".") + 1);
  return mx.some((pattern) => pattern === name || pattern === `*.${parent}`);
}

/** The policy as text, as a policy host would send it. */
export function policyText({ mode, mx, maxAge }: StsPolicy): string {
  const lines = ["version: STSv1", `mode: ${mode}`, ...mx.map((pattern) => `mx: ${pattern}`)];
  return [...lines, `max_age: ${maxAge}`, ""].join("\n");
}
