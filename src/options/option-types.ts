// The kinds of options that one value of the file can be: texts, numbers, durations, sizes, modes, lists. Durations
// become milliseconds and sizes become bytes as soon as they are read: the file's notation stays in here.

import { resolve } from "node:path";
import { isAscii } from "../mail/text.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { parseMailbox } from "../mail/address.ts";
import { type ListenAddress, parseListenAddress } from "../base/net/listen-address.ts";
import { declared, marked, nameOf, parsedText } from "./option.ts";
import type { Option, Problem, Reference } from "./option.ts";
import { suggestion } from "./suggestion.ts";
import type { Rate } from "../base/keyed-rate.ts";

export function text(doc: string, pattern?: { test: RegExp; is: string }): Option<string> {
  return declared("text", { doc }, (value) => {
    if (typeof value !== "string") return { wrong: `must be a text, not ${nameOf(value)}` };
    if (value === "") return { wrong: "must not be empty" };
    if (pattern !== undefined && !pattern.test.test(value)) {
      return { wrong: `must be ${pattern.is}, not ${JSON.stringify(value)}` };
    }
    return { ok: value };
  });
}

/** The allowed names of routers, transports and named lists. */
export const NAME = { test: /^[A-Za-z0-9_-]+$/, is: 'a name of letters, digits, "_" and "-"' };

/** A file or directory. The driver always gets an absolute path, even if the file has a relative one. */
function pathOption(doc: string): Option<string> {
  const pattern = { test: /^[^\0]+$/, is: "a path without NUL" };
  return { ...text(doc, pattern), type: "path", isPath: true };
}

export { pathOption as path };

/** A file that is read with the configuration, such as a certificate. */
export function readPath(doc: string): Option<string> {
  return { ...pathOption(doc), isRead: true };
}

/** Relative paths start at the directory of the configuration file. */
export function resolvePath(configDirectory: string, written: string): string {
  return resolve(configDirectory, written);
}

export function flag(doc: string): Option<boolean> {
  return declared("true or false", { doc }, (value) =>
    typeof value === "boolean"
      ? { ok: value }
      : { wrong: `must be true or false, not ${nameOf(value)}` },
  );
}

export function integer(doc: string, least = 0, most = Number.MAX_SAFE_INTEGER): Option<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`;
  return declared("whole number", { doc }, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? { ok: value }
      : { wrong: `must be a whole number, ${range}, not ${nameOf(value)}` },
  );
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 365 * 86_400_000,
};

/** Milliseconds, or undefined when the text is not a duration. "90s", "1h30m", "10y" of 365 days each. */
export function parseDuration(value: string): number | undefined {
  if (!/^(?:\d{1,9}[smhdwy])+$/.test(value)) return undefined;
  let total = 0;
  for (const [, count, unit] of value.matchAll(/(\d+)([smhdwy])/g)) {
    total += Number(count) * (DURATION_UNITS[unit ?? ""] ?? Number.NaN);
  }
  return total;
}

const A_DURATION = 'a duration like "90s", "15m", "2h" or "4d"';

/** Read into milliseconds. */
export function duration(doc: string): Option<number> {
  return parsedText("duration", { doc, is: A_DURATION }, parseDuration);
}

/** Read into milliseconds, each longer than the one before it. One text is a list of one. */
export function durations(doc: string): Option<readonly number[]> {
  return declared("list of durations", { doc }, (value) => {
    const items: unknown[] = Array.isArray(value) ? value : [value];
    const times: number[] = [];
    for (const item of items) {
      const time = typeof item === "string" ? parseDuration(item) : undefined;
      if (time === undefined) return { wrong: `must be ${A_DURATION}, not ${nameOf(item)}` };
      if (time <= (times.at(-1) ?? 0))
        return { wrong: "must grow from item to item, from above 0" };
      times.push(time);
    }
    return { ok: times };
  });
}

/** An address of the relay's own domains: in ASCII, at a domain name instead of an address literal. */
export function mailbox(doc: string, example: string): Option<Mailbox> {
  return parsedText("address", { doc, is: `an address like "${example}"` }, (written) => {
    const parsed = isAscii(written) ? parseMailbox(written) : undefined;
    return parsed?.domain.startsWith("[") === true ? undefined : parsed;
  });
}

/** An address with a port that the relay listens on. */
export function listenAddress(doc: string): Option<ListenAddress> {
  const is = 'an address with a port, like "0.0.0.0:25" or "[::]:25"';
  return marked({ isBound: true }, parsedText("address:port", { doc, is }, parseListenAddress));
}

/** "60/1m". */
export function rate(doc: string): Option<Rate> {
  return parsedText("rate", { doc, is: 'a rate like "60/1m"' }, (written) => {
    const [, count, time] = /^(\d{1,6})\/(\w+)$/.exec(written) ?? [];
    const window = parseDuration(time ?? "");
    return Number(count) > 0 && window !== undefined && window > 0
      ? { count: Number(count), window }
      : undefined;
  });
}

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Read into bytes. Units are binary. */
export function size(doc: string): Option<number> {
  return parsedText("size", { doc, is: 'a size like "64K" or "50M"' }, (written) => {
    const match = /^(\d{1,9})([KMG]?)$/.exec(written);
    if (match === null) return undefined;
    return Number(match[1]) * (SIZE_UNITS[match[2] ?? ""] ?? Number.NaN);
  });
}

/** Read into a part of one: "10%" is 0.1. */
export function share(doc: string): Option<number> {
  return parsedText("share", { doc, is: 'a share like "10%"' }, (written) => {
    const [, digits] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(written) ?? [];
    const percent = Number(digits);
    return digits !== undefined && percent <= 100 ? percent / 100 : undefined;
  });
}

/** Octal file permissions: "0600". */
export function fileMode(doc: string): Option<number> {
  return parsedText("file mode", { doc, is: 'an octal mode like "0600"' }, (written) =>
    /^0?[0-7]{3}$/.test(written) ? Number.parseInt(written, 8) : undefined,
  );
}

export function oneOf<const T extends string>(doc: string, words: readonly T[]): Option<T> {
  const type = words.map((word) => `"${word}"`).join(" or ");
  const option = declared<T>(type, { doc }, (value) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return { ok: found };
    const near = typeof value === "string" ? suggestion(value, words) : "";
    return { wrong: `must be ${type}, not ${nameOf(value)}${near}` };
  });
  return { ...option, words };
}

/**
 * A list of texts; one text is a list of one. `check` returns the problem of an item, or undefined for a valid item.
 */
export function list(
  doc: string,
  check: (item: string) => string | undefined = () => undefined,
  kind: { type?: string; refersTo?: Reference; lookups?: "names" | "hosts" } = {},
): Option<readonly string[]> {
  const { type = "list of texts", ...reference } = kind;
  const checkItem = (item: unknown, path: string, problems: Problem[]): item is string => {
    const isText = typeof item === "string";
    const wrong = isText ? check(item) : `must be a text, not ${nameOf(item)}`;
    if (wrong !== undefined) {
      problems.push({ path, message: isText ? `${JSON.stringify(item)}: ${wrong}` : wrong });
    }
    return wrong === undefined;
  };
  return {
    type,
    doc,
    required: true,
    ...reference,
    read(value, path, problems) {
      if (typeof value === "string") return checkItem(value, path, problems) ? [value] : undefined;
      if (Array.isArray(value)) {
        return value.filter((item, index) => checkItem(item, `${path}[${index}]`, problems));
      }
      problems.push({ path, message: `must be a ${type}, not ${nameOf(value)}` });
      return undefined;
    },
  };
}

/** The name of a transport. The loader checks that the transport exists. */
export function transportName(doc: string): Option<string> {
  return { ...text(doc), type: "name of a transport", refersTo: "transport" };
}
