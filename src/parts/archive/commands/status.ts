// relayctl archive status.

import { print, printJson } from "../../../base/terminal.ts";
import { printable } from "../../../base/printable.ts";
import { ageText, sizeText } from "../../../base/units.ts";
import type { Given } from "../../../contract/command.ts";
import { EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { askArchive } from "./ask.ts";

export async function archiveStatus({ json }: Given, means: CommandMeans): Promise<number> {
  for await (const value of askArchive(means, "status", {})) {
    if (json) await printJson(value);
    else for (const [name, text] of Object.entries(value)) await print(lineOf(name, text));
  }
  return EXIT.ok;
}

const NAME_COLUMNS = 13;

/** "index size:   612M". */
function lineOf(name: string, value: unknown): string {
  const label = `${LABELS[name] ?? name}:`;
  return `${label.padEnd(NAME_COLUMNS)} ${printable(textOf(name, value))}\n`;
}

/** Labels that differ from the names of the values. */
const LABELS: Readonly<Record<string, string>> = {
  bytes: "size",
  index_bytes: "index size",
  walked: "last walk",
  unread: "passed over",
  fault: "index",
  verified: "last verify",
  used: "disk used",
  high_water: "high water",
  mark_reached: "reached on",
};

const AGES: ReadonlySet<string> = new Set(["walked", "verified"]);
const SHARES: ReadonlySet<string> = new Set(["used", "high_water"]);

function textOf(name: string, value: unknown): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" && SHARES.has(name)) return `${Math.round(value * 1000) / 10}%`;
  if (typeof value === "number") {
    return name.endsWith("bytes")
      ? sizeText(value)
      : value.toLocaleString("en").replaceAll(",", " ");
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (name === "mark_reached") return `${text.slice(0, 10)}, at the rate of the last 30 days`;
  const time = AGES.has(name) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? text : `${ageText(Date.now() - time)} ago`;
}
