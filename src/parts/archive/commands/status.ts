// relayctl archive status.

import { print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { askArchive } from "./ask.ts";

export async function archiveStatus({ json }: Given, means: CommandMeans): Promise<number> {
  for await (const value of askArchive(means, "status", {})) {
    if (json) await printJson(value);
    else for (const [name, text] of Object.entries(value)) await print(`${name}: ${text}\n`);
  }
  return EXIT.ok;
}
