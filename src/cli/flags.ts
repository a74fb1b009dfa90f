// The command-line form of options: `olderThan`, a duration, is `--older-than <duration>`.

import type { Option, Options } from "../options/options.ts";

export interface CommandFlag {
  /** The key of its value: "olderThan". */
  readonly key: string;
  readonly option: Option<unknown>;
  /** "--older-than" */
  readonly name: string;
  /** "--older-than <duration>", "-o, --output <path>" */
  readonly written: string;
  /** The flag has no value: it is given or not. */
  readonly isSwitch: boolean;
}

export function flagsOf({ fields }: Options<unknown>): readonly CommandFlag[] {
  return Object.entries(fields).map(([key, option]) => {
    const dashed = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const isSwitch = option.type === SWITCH;
    const value = option.isPath ? "file" : /^[a-z]+$/.test(option.type) ? option.type : dashed;
    const name = `--${dashed}`;
    const forms = option.short === undefined ? name : `-${option.short}, ${name}`;
    return { key, option, name, written: isSwitch ? forms : `${forms} <${value}>`, isSwitch };
  });
}

/** The option type of a flag without a value. */
const SWITCH = "true or false";

/** The text about a flag in `--help` and in the documentation. */
export function meaningOf({ doc, shown, type, words }: Option<unknown>): string {
  const choice = words === undefined ? "" : `: ${words.join(", ")}`;
  const fallback = shown === undefined || type === SWITCH ? "" : ` (default: ${shown})`;
  return `${doc}${choice}${fallback}`;
}

/** The text in the form that the option reads: numbers become numbers. */
export function valueOf({ type }: Option<unknown>, text: string): unknown {
  return type === "whole number" && /^\d{1,15}$/.test(text) ? Number(text) : text;
}
