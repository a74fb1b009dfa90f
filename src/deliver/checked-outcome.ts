// Checks what a transport answers for one recipient. A third party's driver may not be type-checked, or may have been
// written for an older contract, and may return anything.
//
// Invariants:
// - Only a known kind, with a reply code of its class, may end a delivery.
// - A deferral is stored whole and read again, so one with an unusable field is no outcome: the delivery is deferred
//   without it.
// - A delivery that was made, or refused for good, stays so: an unusable field is left out.

import { given } from "../base/given.ts";
import type { Outcome } from "../contract/contract.ts";
import { isStatus } from "../mail/status.ts";

const FIRST_DIGIT: ReadonlyMap<unknown, number> = new Map<Outcome["kind"], number>([
  ["delivered", 2],
  ["deferred", 4],
  ["failed", 5],
]);

/** The outcome to go by, which is `answer` itself if all of it is usable; undefined if the answer is no outcome. */
export function checkedOutcome(answer: Outcome): Outcome | undefined {
  const { kind, status, place } = fieldsOf(answer);
  const { code } = fieldsOf(status);
  const digit = FIRST_DIGIT.get(kind);
  if (digit === undefined || Math.trunc(Number(code) / 100) !== digit) return undefined;
  const isWhole = isStatus(status) && (isAbsent(place) || isPlace(place));
  if (answer.kind === "deferred") return isWhole && isWait(fieldsOf(answer)) ? answer : undefined;
  return isWhole ? answer : withoutUnusable(answer, digit);
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : NONE;
}

const NONE: Fields = {};

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isWait({
  notBefore,
  notFinalBefore,
  waitsFor,
  heldDomain,
  heldTransport,
}: Fields): boolean {
  return (
    (isAbsent(notBefore) || Number.isFinite(notBefore)) &&
    (isAbsent(notFinalBefore) || Number.isFinite(notFinalBefore)) &&
    (isAbsent(waitsFor) || isAwaited(waitsFor)) &&
    isAbsent(heldDomain) &&
    isAbsent(heldTransport)
  );
}

function isAwaited(value: unknown): boolean {
  const { key, host } = fieldsOf(value);
  return isText(key) && (isAbsent(host) || isText(host));
}

function isPlace(value: unknown): boolean {
  const { kind, name, address, port, path } = fieldsOf(value);
  if (kind === "host") return isText(name) && isText(address) && Number.isInteger(port);
  return (kind === "file" || kind === "socket") && isText(path);
}

function withoutUnusable(
  { place, ...answer }: Exclude<Outcome, { kind: "deferred" }>,
  digit: number,
): Outcome {
  const { code, enhanced, text } = answer.status;
  return {
    ...answer,
    status: {
      ...answer.status,
      code: Math.trunc(code),
      enhanced: isText(enhanced) ? enhanced : `${digit}.0.0`,
      text: isText(text) ? text : "",
    },
    ...given({ place: isPlace(place) ? place : undefined }),
  };
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isAbsent(value: unknown): boolean {
  return value === undefined;
}
