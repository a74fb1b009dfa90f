// The report of a drill: a line a step for people, as it happens, or one object for programs.

import { type Colour, folded, paint } from "../../../base/terminal.ts";
import type { DrillStep } from "./steps.ts";

export interface DrillReport {
  readonly ok: boolean;
  /** A signal has ended the drill early. */
  readonly interrupted?: true;
  readonly account: string;
  /** The state of fail-over, which the drill has left as it was. */
  readonly failover: string;
  readonly seconds: number;
  readonly steps: readonly DrillStep[];
}

const COLOURS: Readonly<Record<DrillStep["result"], Colour>> = {
  ok: "green",
  failed: "red",
  skipped: "dim",
};
const WORDS: Readonly<Record<DrillStep["result"], string>> = {
  ok: "ok",
  failed: "FAIL",
  skipped: "skip",
};

const NAME = 16;
const WORD = 6;
const TIME = 8;
const TEXT = NAME + WORD + TIME + 2;

export function headText(account: string): string {
  return `${paint("bold", "Fail-over drill")} with ${account}\n`;
}

export function stepText({ step, result, ms, text }: DrillStep): string {
  const [first = "", ...rest] = folded(text, TEXT);
  const time = `${(ms / 1000).toFixed(1)} s`.padStart(TIME);
  const word = paint(COLOURS[result], WORDS[result].padEnd(WORD));
  return `${[`${step.padEnd(NAME)}${word}${time}  ${first.trimStart()}`, ...rest].join("\n")}\n`;
}

export function endText({ ok, interrupted, seconds, steps }: DrillReport): string {
  const failed = steps.filter(({ result }) => result === "failed").length;
  const what = ok
    ? "All worked"
    : interrupted
      ? "Interrupted"
      : `${failed} ${failed === 1 ? "step" : "steps"} failed`;
  return `\n${what}, in ${seconds.toFixed(1)} s. No mail of users was touched.\n`;
}
