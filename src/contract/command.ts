// The declaration of a relayctl command: its words, its argument, its flags, and its action. The parser, `--help`, the
// tables of docs/cli.md and completion are made from the declarations.

import { declared, type Option, type Options } from "../options/options.ts";

/** The flags of every command. */
export interface Given {
  readonly config?: string | undefined;
  readonly json: boolean;
}

interface Declaration {
  /** The words of the command: "queue list". */
  readonly name: string;
  /** The action of the command, in one clause for `--help`. */
  readonly summary: string;
  /** The argument after the words: "<id>", "[domain]", "[ids...]". Absent: the command has none. */
  readonly argument?: string;
  /** Text that `--help` shows after the flags. */
  readonly notes?: string;
}

export interface Command extends Declaration {
  /** By name in camel case: `olderThan` is `--older-than`. */
  readonly flags?: Options<unknown>;
  /** `given` holds the values of the flags. Resolves to the exit code. */
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

/** Texts of a flag that may be given several times. `type` is the name of one in `--help`. */
export function words(type: string, doc: string): Option<readonly string[]> {
  const option = declared(type, { doc }, (value) => ({ ok: [value].flat().map(String) }));
  return { ...option, isRepeated: true };
}

/** Any text, including the empty one. `type` is its name in `--help`. */
export function word(type: string, doc: string): Option<string> {
  return declared(type, { doc }, (value) => ({ ok: String(value) }));
}
