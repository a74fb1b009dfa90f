// The tables of docs/cli.md, made from the table of commands. `npm run docs` writes them; a test compares them.
//
// The page marks their places: a table is made between `<!-- made by npm run docs: commands -->`, or `flags of COMMAND`
// in place of `commands`, and `<!-- end -->`.

import { commands, globalFlags } from "./commands.ts";
import { flagsOf, meaningOf } from "./flags.ts";

const BLOCK = /(<!-- made by npm run docs: ([^>]+) -->\n)[^]*?(?=\n<!-- end -->)/g;

/** The page with its tables as they should be. Throws if a table names a command that does not exist. */
export function withTables(page: string): string {
  return page.replaceAll(BLOCK, (_, head: string, name: string) => `${head}\n${tableOf(name)}`);
}

function tableOf(name: string): string {
  if (name === "commands") return commandsTable();
  const wanted = name.replace(/^flags of /, "");
  if (wanted === "every command") return flagsTable(globalFlags);
  const command = commands.find((one) => one.name === wanted);
  if (command?.flags === undefined) throw new Error(`docs/cli.md: no command ${wanted} with flags`);
  return flagsTable(command.flags);
}

function commandsTable(): string {
  const rows = commands.map(({ name, argument = "", summary }) => [
    `\`${`relayctl ${name} ${argument}`.trim()}\``,
    summary,
  ]);
  return table([["command", "does"], ...rows]);
}

function flagsTable(flags: Parameters<typeof flagsOf>[0]): string {
  const rows = flagsOf(flags).map(({ written, option }) => [`\`${written}\``, meaningOf(option)]);
  return table([["flag", "means"], ...rows]);
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`)
    .join("");
}
