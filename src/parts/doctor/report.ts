// The report of the doctor: text of at most 80 columns, or one object for programs.

import { type Colour, folded, paint } from "../../base/terminal.ts";
import { EXIT } from "../../contract/exit.ts";
import type { NamedFinding } from "./check.ts";
import type { Result } from "./finding.ts";

const WORDS: Readonly<Record<Result, string>> = {
  ok: "ok",
  warn: "WARN",
  fail: "FAIL",
  skipped: "skip",
};

const COLOURS: Readonly<Record<Result, Colour>> = {
  ok: "green",
  warn: "yellow",
  fail: "red",
  skipped: "dim",
};

/** The column of the results, and that of the findings. */
const RESULT = 10;
const FOUND = RESULT + 5;

export function reportText(findings: readonly NamedFinding[]): string {
  const lines = findings.flatMap((finding, index) => {
    const isFirst = findings[index - 1]?.check !== finding.check;
    return [...(isFirst && index > 0 ? [""] : []), ...findingLines(finding, isFirst)];
  });
  return `${[...lines, "", summary(findings)].join("\n")}\n`;
}

function findingLines({ check, result, found, advice }: NamedFinding, isFirst: boolean): string[] {
  const [first = "", ...rest] = folded(found, FOUND);
  const name = (isFirst ? check : "").padEnd(RESULT);
  const word = WORDS[result].padEnd(FOUND - RESULT);
  const head = `${isFirst ? paint("bold", name) : name}${paint(COLOURS[result], word)}${first.trimStart()}`;
  return [head, ...rest, ...(advice === "" ? [] : folded(`> ${advice}`, FOUND))];
}

function summary(findings: readonly NamedFinding[]): string {
  const count = (result: Result) => findings.filter((finding) => finding.result === result).length;
  const parts = [
    counted(count("fail"), "failure"),
    counted(count("warn"), "warning"),
    `${count("skipped")} skipped`,
    `${count("ok")} ok`,
  ];
  return `${parts.join(", ")}.`;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** The object of `--json`. */
export function reportJson(findings: readonly NamedFinding[]) {
  return {
    checks: findings.map(({ check, result, found, advice }) => ({ check, result, found, advice })),
  };
}

/** 0 if all is ok, 1 with warnings, 2 with failures. */
export function exitCodeOf(findings: readonly NamedFinding[]): number {
  const results = new Set(findings.map(({ result }) => result));
  if (results.has("fail")) return EXIT.failed;
  return results.has("warn") ? EXIT.deferred : EXIT.ok;
}
