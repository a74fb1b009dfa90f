// The story of a message for people: one entry for each event, with the local time and the time since the first event,
// in 80 columns.

import type { HistoryEvent, Story } from "../../observe/history/read.ts";
import { ageText } from "../../base/units.ts";
import { type Colour, folded, paint } from "../../base/terminal.ts";
import { type Entry, eventEntry } from "./event-text.ts";

/** "01:43:40   +1.2s  " */
const TEXT_COLUMN = 18;
const DETAIL_COLUMN = 20;

export function storyLines(
  { id, events }: Story,
  waiting: readonly Entry[],
  now: number,
): string[] {
  const begun = events[0]?.at ?? now;
  let day = "";
  const lines: string[] = [];
  for (const event of events) {
    const today = dayText(event.at);
    if (today !== day) lines.push(paint("dim", today));
    day = today;
    lines.push(...entryLines(eventEntry(event, id), timeColumn(event, begun)));
  }
  for (const entry of waiting) lines.push(...entryLines(entry, "now".padEnd(TEXT_COLUMN)));
  return lines;
}

function entryLines({ verb, text, colour, details }: Entry, column: string): string[] {
  const [first = "", ...rest] = folded(`${verb} ${text}`.trimEnd(), TEXT_COLUMN);
  const headed = first.slice(TEXT_COLUMN).replace(verb, () => paint(colour, verb));
  return [
    `${paint("dim", column)}${headed}`,
    ...rest.map((line) => `  ${line}`),
    ...details.flatMap((detail) => folded(detail, DETAIL_COLUMN)),
  ];
}

function timeColumn({ at }: HistoryEvent, begun: number): string {
  const offset = at === begun ? "" : `+${offsetText(at - begun)}`;
  return `${clockText(at)}  ${offset.padStart(6)}  `;
}

/** "20ms", "1.2s", "14s", "2m", "3h": precise enough to compare. */
function offsetText(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  return milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(1)}s` : ageText(milliseconds);
}

const DAY: Intl.DateTimeFormatOptions = {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZoneName: "short",
};

/** "Sun, 22 Nov 2026, UTC". */
function dayText(time: number): string {
  return new Date(time).toLocaleDateString("en-GB", DAY);
}

function clockText(time: number): string {
  return new Date(time).toLocaleTimeString("en-GB", { hour12: false });
}

/** The event in the form of `--json`. */
export function eventObject({ at, name, fields }: HistoryEvent) {
  return { time: new Date(at).toISOString(), event: name, ...fields };
}

const ENDS: readonly (readonly [event: string, word: string, colour: Colour])[] = [
  ["message.expired", "expired", "red"],
  ["message.bounced", "bounced", "red"],
  ["delivery.failed", "failed", "red"],
  ["message.completed", "completed", "green"],
  ["message.frozen", "frozen", "red"],
];

const REMOVED = ["queue.changed", "removed", "yellow"] as const;

/** "ID: completed": the state in the queue, or how the message ended. */
export function headLine({ id, events }: Story, state: string | undefined): string {
  if (id === undefined) return paint("bold", "refused");
  const names = new Set(events.map(({ name }) => name));
  // The story of a bounce contains the event `message.bounced` of the original message, too.
  const bounced = events.some(
    ({ name, fields }) => name === "message.bounced" && fields["id"] === id,
  );
  const removed = events.some(
    ({ name, fields }) => name === "queue.changed" && fields["action"] === "remove",
  );
  const end = removed
    ? REMOVED
    : ENDS.find(([name]) => names.has(name) && (name !== "message.bounced" || bounced));
  const [, word, colour] = end ?? ["", "gone", "dim"];
  const said = state ?? word;
  return `${paint("bold", id)}: ${paint(state === undefined ? colour : "yellow", said)}`;
}
