// The command line, made from the table of commands. This is the only module that knows commander.

import { Command as Parser, CommanderError, InvalidArgumentError, Option as Flag } from "commander";
import { printable } from "../base/printable.ts";
import { folded, warn } from "../base/terminal.ts";
import type { Command } from "../contract/command.ts";
import { describeError } from "../observe/log.ts";
import { isTable } from "../base/table.ts";
import type { Options, Problem } from "../options/options.ts";
import { commands, globalFlags, groups } from "./commands.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { flagsOf, meaningOf, valueOf } from "./flags.ts";

/** Runs one command and returns the exit code of the process. */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has already printed the usage error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const known = error instanceof CommandError;
    warn(known ? error.message : `relayctl: ${describeError(error)}`);
    return known ? error.exitCode : EXIT.software;
  }
}

/** Commander quotes the wrong argument, and may add a suggestion on a line of its own. */
function usageErrorText(text: string): string {
  return text
    .trimEnd()
    .split(/\n(?=\(Did you mean )/)
    .map(printable)
    .join("\n");
}

type Exit = (code: number) => void;

function createProgram(exit: Exit): Parser {
  const program = new Parser("relayctl")
    .description("unseen: an MX relay that keeps a Maildir copy of every message in and out")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text) => warn(usageErrorText(text)) })
    .exitOverride();
  addFlags(program, globalFlags);
  const parents = new Map([["", program]]);
  for (const command of commands) {
    const words = command.name.split(" ");
    const name = words.pop() ?? "";
    addCommand(parentOf(parents, words), name, command, exit);
  }
  return program;
}

/** The parser of a group of commands: "queue". */
function parentOf(parents: Map<string, Parser>, words: readonly string[]): Parser {
  const group = words.join(" ");
  const known = parents.get(group);
  if (known !== undefined) return known;
  const above = parentOf(parents, words.slice(0, -1));
  const parent = above.command(words.at(-1) ?? "").description(groups[group] ?? "");
  parents.set(group, parent);
  return parent;
}

function addCommand(parent: Parser, name: string, command: Command, exit: Exit): void {
  const parser = parent.command(name).description(command.summary);
  if (command.argument !== undefined) parser.arguments(command.argument);
  if (command.flags !== undefined) addFlags(parser, command.flags);
  if (command.notes !== undefined) {
    const paragraphs = command.notes.split("\n\n").map((text) => text.replaceAll("\n", " "));
    const lines = paragraphs.flatMap((text) => ["", ...folded(text, 0)]);
    parser.addHelpText("after", lines.join("\n"));
  }
  parser.action(async () => {
    const written = parser.optsWithGlobals();
    const own = command.flags === undefined ? {} : read(command.flags, written);
    exit(await command.run(parser.args, { ...read(globalFlags, written), ...own }));
  });
}

function addFlags(parser: Parser, flags: Options<unknown>): void {
  for (const { key, option, written, isSwitch } of flagsOf(flags)) {
    const flag = new Flag(written, meaningOf(option));
    if (!isSwitch) {
      flag.argParser((text: string, before: unknown) => {
        const value = valueOf(option, text);
        const problems: Problem[] = [];
        option.read(value, key, problems);
        if (problems[0] === undefined)
          return option.isRepeated ? [before ?? [], value].flat() : value;
        throw new InvalidArgumentError(`It ${problems[0].message}.`);
      });
    }
    parser.addOption(flag);
  }
}

/** The values of the given flags, with the defaults of the others. */
function read(flags: Options<unknown>, written: Readonly<Record<string, unknown>>): object {
  const own = Object.keys(flags.fields).filter((key) => written[key] !== undefined);
  const problems: Problem[] = [];
  const values = flags.read(
    Object.fromEntries(own.map((key) => [key, written[key]])),
    "",
    problems,
  );
  if (isTable(values)) return values;
  throw new CommandError(
    problems.map(({ path, message }) => `${path} ${message}`),
    EXIT.usage,
  );
}
