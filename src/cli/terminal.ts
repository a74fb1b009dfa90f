// Text for people: 80 columns, and colours only where somebody looks at them.

import { styleText } from "node:util";

export type Colour = "bold" | "dim" | "green" | "yellow" | "red";

/** Colours `text` if stdout is a terminal that wants colours (NO_COLOR is heard). */
export function paint(colour: Colour, text: string): string {
  return styleText(colour, text, { stream: process.stdout });
}

/** Text of strangers, without what a terminal would obey: control characters and marks that turn text round. */
export function printable(text: string): string {
  return text.replaceAll("\t", " ").replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

const COLUMNS = 80;

/** Printable lines of at most 80 columns, each begun with `indent` spaces. A longer word stands alone. */
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

/** Resolves when the reader has taken it: a long list waits for a slow one. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
