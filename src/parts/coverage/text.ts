// Text of the reports that both commands share: times, lists of limited length, tables of 80 columns.

import { printable } from "../../base/printable.ts";

/** Lines of a list. The rest is counted, and stands in the JSON. */
const LISTED_MAX = 20;

/** "11-30 09:05", in the local time zone. `at` is in ms since the epoch. */
export function shortTime(at: number): string {
  const date = new Date(at);
  const [month, day] = [two(date.getMonth() + 1), two(date.getDate())];
  return `${month}-${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** "2026-11-30 09:05", in the local time zone. */
export function longTime(at: number): string {
  return `${new Date(at).getFullYear()}-${shortTime(at)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** "1 copy", "3 copies". */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** A heading and the lines of the first items. Nothing if there are no items. */
export function section<T>(
  heading: string,
  items: readonly T[],
  linesOf: (item: T) => readonly string[],
): string[] {
  if (items.length === 0) return [];
  const left = items.length - LISTED_MAX;
  return [
    "",
    heading,
    ...items.slice(0, LISTED_MAX).flatMap(linesOf),
    ...(left > 0 ? [`  … and ${left} more: see --json`] : []),
  ];
}

/** The name and the rest of a line. A name of more than `width` columns has a line of its own. */
export function row(name: string, width: number, rest: string): string[] {
  const shown = printable(name);
  if (shown.length <= width) return [`  ${shown.padEnd(width)}${rest}`.trimEnd()];
  return [`  ${shown}`, `  ${" ".repeat(width)}${rest}`.trimEnd()];
}

/** A count and its name: "Accounts", 12, "(3 in, 2 out)". */
export type Figure = readonly [name: string, count: number, rest?: string];

const FIGURE = 54;

/** The figures that are not 0, and the first ones in any case. */
export function figureLines(figures: readonly Figure[], always: number): string[] {
  return figures
    .filter(([, count], index) => index < always || count > 0)
    .map(([name, count, rest]) => {
      const line = `  ${name.padEnd(FIGURE)}${String(count).padStart(9)}`;
      return rest === undefined ? line : `${line}  ${rest}`;
    });
}
