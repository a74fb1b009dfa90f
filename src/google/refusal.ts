// The meaning of an answer: a JSON object, a refusal, or a reason to try again.
//
// Invariants: a text of the answer is one printable line of at most 300 characters, and holds no secret. HTML, cut JSON
// and JSON of another kind are never taken for an empty object.

import { given } from "../base/given.ts";
import { printable } from "../base/printable.ts";
import { isTable } from "../base/table.ts";
import { advice, type Asker } from "./advice.ts";
import type { Answer } from "./exchange.ts";
import { GoogleError } from "./google-error.ts";
import { TryLater } from "./patience.ts";

type JsonObject = Readonly<Record<string, unknown>>;

export interface Question {
  readonly host: string;
  readonly asker: Asker;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Throws GoogleError, or TryLater if the answer means that another try may succeed. */
export function objectOf(answer: Answer, question: Question): JsonObject {
  const { status } = answer;
  const object = parsed(answer.text);
  if (status >= 200 && status < 300) {
    if (object !== undefined) return object;
    const what = `${question.host}: answers with something that is no JSON object`;
    throw new TryLater(new GoogleError("unreachable", what, { status }));
  }
  const found = refusalOf(object ?? {});
  const isRate = status === 429 || (status === 403 && found.reasons.some(isRateReason));
  const isTemporary = isRate || status === 408 || status >= 500;
  if (!isTemporary) throw errorOf(status, found, "refused", question);
  const wait = waitOf(answer.headers.get("retry-after"), found.text, question.now);
  const error = errorOf(status, found, "unreachable", question);
  if (wait > 0) error.message += `; it asks to wait ${Math.ceil(wait / 1000)} s`;
  throw new TryLater(error, { wait, isRate });
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isTable(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface Refusal {
  /** Google's words for it, the most precise first. */
  readonly reasons: readonly string[];
  readonly text: string;
}

/** Google has three forms: that of OAuth, `errors` with reasons, and `details` with reasons. */
function refusalOf(object: JsonObject): Refusal {
  const { error } = object;
  if (!isTable(error)) {
    const reasons = [error].filter((one) => typeof one === "string");
    return { reasons, text: textOf(object["error_description"]) };
  }
  const lists = [error["errors"], error["details"]].filter((one) => Array.isArray(one)).flat();
  const reasons = [...lists.filter(isTable).map(({ reason }) => reason), error["status"]];
  return {
    reasons: reasons.filter((one) => typeof one === "string"),
    text: textOf(error["message"]),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

const RATE =
  /^(?:(?:user|concurrent)?rateLimitExceeded|quotaExceeded|RATE_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED)$/i;

function isRateReason(reason: string): boolean {
  return RATE.test(reason);
}

function errorOf(
  status: number,
  { reasons, text }: Refusal,
  kind: "refused" | "unreachable",
  { host, asker, secrets }: Question,
): GoogleError {
  const [reason] = reasons;
  const head = [String(status), reason === undefined ? undefined : shown(reason, secrets)];
  const what = text === "" ? "without a reason" : shown(text, secrets);
  const setting = advice({ status, reasons, text }, asker);
  const words = `${host} refuses (${head.filter(Boolean).join(" ")}): ${what}`;
  const message = setting === undefined ? words : `${words.replace(/[.;]$/, "")}; ${setting}`;
  return new GoogleError(kind, message, {
    status,
    ...given({ reason }),
  });
}

const TEXT_LONGEST = 300;
/** A signed token, a token of Google's, and a private key. */
const SECRETS =
  /\beyJ[\w-]+(?:\.[\w-]*){1,2}|\bya29\.[\w.-]+|-----BEGIN[^]*?(?:-----END[^-]*-----|$)/g;

/** The text in one printable line, without secrets. */
export function shown(text: string, secrets: readonly string[]): string {
  let safe = text.slice(0, 10_000).replaceAll(SECRETS, "…");
  for (const secret of secrets) if (secret.length > 3) safe = safe.replaceAll(secret, "…");
  const line = printable(safe.replaceAll(/\s+/g, " ").trim());
  return line.length > TEXT_LONGEST ? `${line.slice(0, TEXT_LONGEST)}…` : line;
}

/** Gmail names the time in its text: "User-rate limit exceeded.  Retry after 2026-11-22T10:00:00.000Z". */
const IN_TEXT = /Retry after (\d{4}-\d\d-\d\dT[\d:.]+Z)/i;

/** Milliseconds to wait, from the field of RFC 9110 10.2.3 and from the text. */
function waitOf(field: string | null, text: string, now: number): number {
  const seconds = /^\d{1,9}$/.test(field ?? "") ? Number(field) * 1000 : 0;
  const dates = [field ?? "", IN_TEXT.exec(text)?.[1] ?? ""].map((date) => Date.parse(date) - now);
  return Math.max(0, seconds, ...(seconds > 0 ? [] : dates.filter((wait) => wait > 0)));
}
