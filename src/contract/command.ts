// A command of relayctl as it is declared, once: its words, what follows them, its flags, and what it does. The parser,
// `--help`, the tables of docs/cli.md and completion are made of the declarations.

import { declared, type Option, type Options } from "../options/options.ts";

/** What may stand with every command. */
export interface Given {
  readonly config?: string | undefined;
  readonly json: boolean;
}

interface Declaration {
  /** The words that name it: "queue list". */
  readonly name: string;
  /** What it does, in one clause. */
  readonly summary: string;
  /** What follows the words: "<id>", "[domain]", "[ids...]". Absent: nothing. */
  readonly argument?: string;
  /** What `--help` says behind the flags. */
  readonly notes?: string;
}

export interface Command extends Declaration {
  /** By their names in camel case: `olderThan` is `--older-than`. */
  readonly flags?: Options<unknown>;
  /** `given` is what the flags have been read to. Resolves to the exit code. */
  run(words: readonly string[], given: unknown): Promise<number>;
}

/** A command whose flags have types. */
export function command<Flags>(
  declaration: Declaration & {
    readonly flags: Options<Flags>;
    run(words: readonly string[], given: Flags & Given): Promise<number>;
  },
): Command {
  return declaration;
}

/** A command without flags of its own. */
export function plainCommand(
  declaration: Declaration & { run(words: readonly string[], given: Given): Promise<number> },
): Command {
  return declaration;
}

/** Any text, the empty one too; `type` says what it stands for. */
export function word(type: string, doc: string): Option<string> {
  return declared(type, { doc }, (value) => ({ ok: String(value) }));
}
