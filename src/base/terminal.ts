// Text for people: 80 columns, with colours only on a terminal.

import { styleText } from "node:util";
import { jsonLine, printable, printableLines } from "./printable.ts";

export type Colour = "bold" | "dim" | "green" | "yellow" | "red";

/** Colours `text` if stdout is a terminal that supports colours. NO_COLOR is respected. */
export function paint(colour: Colour, text: string): string {
  return styleText(colour, text, { stream: process.stdout });
}

const COLUMNS = 80;

/** Printable lines of at most 80 columns, each indented by `indent` spaces. A longer word has a line of its own. */
export function folded(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text).split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => " ".repeat(indent) + one);
}

/** Resolves when the reader has taken the text, so a long list waits for a slow reader. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Prints one JSON value on a line of its own. */
export function printJson(value: unknown): Promise<void> {
  return print(`${jsonLine(value)}\n`);
}

/** Prints one or more lines on stderr. Quoted text is made safe to print. */
export function warn(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}
