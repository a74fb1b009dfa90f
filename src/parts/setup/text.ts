// What relayctl init prints: the files that it wrote, and the steps that come next. Prose has at most 80 columns; a
// record, a command or a path stays on one line, so that it can be copied.

import { folded, paint } from "../../base/terminal.ts";
import { printable } from "../../base/printable.ts";
import type { Step } from "./steps.ts";

export interface Written {
  readonly path: string;
  readonly meaning: string;
}

export function writtenText(written: readonly Written[]): string {
  const lines = written.flatMap(({ path, meaning }) => [
    `  ${printable(path)}`,
    `      ${meaning}`,
  ]);
  return `${paint("bold", "Written:")}\n${lines.join("\n")}\n`;
}

/** The steps with their numbers. `emphasis` marks the first line of a step. */
export function stepsText(
  steps: readonly Step[],
  emphasis: (line: string) => string = (line) => line,
): string {
  return steps.map((step, index) => stepText(step, index + 1, emphasis)).join("\n");
}

function stepText(step: Step, number: number, emphasis: (line: string) => string): string {
  const [first = "", ...rest] = folded(step.action, 4);
  const head = [`${String(number).padStart(2)}. ${first.trimStart()}`, ...rest].map(emphasis);
  const records = (step.records ?? []).map(({ name, type, value }) => `${name}  ${type}  ${value}`);
  const lines = [...records, ...(step.lines ?? [])].map((line) => `      ${printable(line)}`);
  return [...head, ...lines, ...folded(step.reason, 4)].map((line) => `${line}\n`).join("");
}
