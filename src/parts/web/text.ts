// Small texts of the pages: times, sizes, names of files.

import type { Manner } from "./reader.ts";

/** Short, for a list: the time of today, else the day. */
export function shortTime(iso: string, { zone, language }: Manner, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" });
  const isToday = day.format(time) === day.format(now);
  const style = isToday ? ({ timeStyle: "short" } as const) : ({ dateStyle: "medium" } as const);
  return new Intl.DateTimeFormat(language, { timeZone: zone, ...style }).format(time);
}

export function longTime(iso: string, { zone, language }: Manner): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const style = { dateStyle: "full", timeStyle: "long" } as const;
  return new Intl.DateTimeFormat(language, { timeZone: zone, ...style }).format(time);
}

export function sizeText(octets: number): string {
  if (octets < 1024) return `${octets} B`;
  const isSmall = octets < 1024 ** 2;
  const [unit, divisor] = [isSmall ? "kB" : "MB", isSmall ? 1024 : 1024 ** 2];
  const value = octets / divisor;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** The name of a sender, without the address if there is one: "Alice" of `Alice <a@example.org>`. */
export function senderName(from: string): string {
  const name = /^\s*"?([^"<]*?)"?\s*</.exec(from)?.[1] ?? "";
  return name === "" ? from : name;
}

/** Content-Disposition (RFC 6266) of a download: no path, no control character, no reserved name. */
export function dispositionOf(name: string): string {
  const safe = name
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]/gu, "_")
    .replace(/^[.\s]+/, "_")
    .slice(-200);
  const shown = safe === "" ? "attachment" : safe;
  const plain = shown.replaceAll(/[^\x20-\x7e]/g, "_").replaceAll(/["\\%]/g, "_");
  const encoded = encodeURIComponent(shown.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
