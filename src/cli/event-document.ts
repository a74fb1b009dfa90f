// docs/events.md, made from the tables of events. `npm run docs` writes it, and a test compares it with the file.

import type { DeclaredEvent, EventTable } from "../observe/event.ts";

const INTRODUCTION = `# The events of the log

This page is made from the source by \`npm run docs\`.

The log is JSON lines on stdout, one an event. Every line has the fields \`time\` (ISO 8601 in UTC) and \`event\` (its name).
The relay logs no event and no field that is not on this page. An optional field is missing where its sentence says so.
Text of peers is data: what could end a line, or change how it is shown, is escaped.

\`relayctl trace\` shows the events of one message or address.
`;

/** The page, with a section for each table. */
export function eventDocument(tables: readonly EventTable[]): string {
  const sections = tables.flatMap(({ about, events }) => [
    `## ${about}\n`,
    ...Object.entries(events).map(([name, event]) => entry(name, event)),
  ]);
  return [INTRODUCTION, ...sections].join("\n");
}

function entry(name: string, { means, fields }: DeclaredEvent): string {
  const rows = Object.entries(fields).map(([field, { kind, isOptional, means: sentence }]) => {
    return `| \`${field}\` | ${isOptional === true ? `${kind}, optional` : kind} | ${sentence} |\n`;
  });
  const table = ["| field | value | |\n", "|---|---|---|\n", ...rows].join("");
  return `### ${name}\n\n${means}\n${rows.length === 0 ? "" : `\n${table}`}`;
}
