// How options of the kit are written on the command line: `olderThan`, a duration, is `--older-than <duration>`.

import type { Option, Options } from "../options/options.ts";

export interface CommandFlag {
  /** Its name among the values: "olderThan". */
  readonly key: string;
  readonly option: Option<unknown>;
  /** "--older-than" */
  readonly name: string;
  /** "--older-than <duration>" */
  readonly written: string;
  /** It stands alone: there or not there. */
  readonly isSwitch: boolean;
}

export function flagsOf({ fields }: Options<unknown>): readonly CommandFlag[] {
  return Object.entries(fields).map(([key, option]) => {
    const dashed = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const isSwitch = option.type === SWITCH;
    const value = option.isPath ? "file" : /^[a-z]+$/.test(option.type) ? option.type : dashed;
    const name = `--${dashed}`;
    return { key, option, name, written: isSwitch ? name : `${name} <${value}>`, isSwitch };
  });
}

/** The type of the kit for what is there or not. */
const SWITCH = "true or false";

/** What `--help` and the documentation say of a flag. */
export function meaningOf({ doc, shown, type, words }: Option<unknown>): string {
  const choice = words === undefined ? "" : `: ${words.join(", ")}`;
  const fallback = shown === undefined || type === SWITCH ? "" : ` (default: ${shown})`;
  return `${doc}${choice}${fallback}`;
}

/** The text as the option reads it: numbers are numbers. */
export function valueOf({ type }: Option<unknown>, text: string): unknown {
  return type === "whole number" && /^\d{1,15}$/.test(text) ? Number(text) : text;
}
