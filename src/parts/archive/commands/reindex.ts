// relayctl archive reindex.

import { print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { EXIT } from "../../../contract/exit.ts";
import { given } from "../../../base/given.ts";
import { isTable } from "../../../base/table.ts";
import type { CommandMeans } from "../../part.ts";
import { askArchive } from "./ask.ts";

interface ReindexFlags extends Given {
  readonly account: string | undefined;
}

/** On a terminal a line counts the messages. */
export async function archiveReindex(
  { account, json }: ReindexFlags,
  means: CommandMeans,
): Promise<number> {
  const isTerminal = process.stdout.isTTY;
  for await (const value of askArchive(means, "reindex", given({ account }))) {
    const { messages, done } = isTable(value) ? value : {};
    const count = `${String(messages)} messages`;
    if (json) await printJson(value);
    else if (done === true) await print(`${isTerminal ? "\r" : ""}${count} in the index.\n`);
    else if (isTerminal) await print(`\r${count}`);
  }
  return EXIT.ok;
}
