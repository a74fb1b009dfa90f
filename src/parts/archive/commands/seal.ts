// relayctl archive seal.

import { print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { askArchive } from "./ask.ts";

export async function archiveSeal({ json }: Given, means: CommandMeans): Promise<number> {
  for await (const seal of askArchive(means, "seal", {})) {
    const hash = "manifest" in seal ? seal.manifest : null;
    if (json) await printJson(seal);
    else if (typeof hash === "string") await print(`${hash}\n`);
    if (typeof hash === "string") return EXIT.ok;
  }
  throw new CommandError("the manifest has no line yet", EXIT.notDone);
}
