// The protocol of archive.sock: POST /VERB with the order as JSON. The answer is lines of JSON, each `{"value": …}`,
// and the last one is `{"end": "whole"}` or `{"end": {"error": …, "exit": …}}`. An answer without a last line was cut off.

import { isTable } from "../base/table.ts";

export interface Refusal {
  readonly error: string;
  readonly exit: number;
}

export type Line = { readonly value: object } | { readonly end: Refusal | "whole" };

/** Undefined when the text is not a line of an answer. */
export function parseLine(text: string): Line | undefined {
  const line = parsed(text);
  if (!isTable(line)) return undefined;
  if (isTable(line["value"])) return { value: line["value"] };
  const { end } = line;
  if (end === "whole") return { end };
  if (!isTable(end)) return undefined;
  const { error, exit } = end;
  return typeof error === "string" && typeof exit === "number"
    ? { end: { error, exit } }
    : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
