// relayctl archive erase.

import { printable } from "../../../base/printable.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";
import { ownZone, required } from "./required.ts";

interface EraseFlags extends Given {
  readonly account: string | undefined;
  readonly query: string | undefined;
  readonly why: string | undefined;
}

export async function archiveErase(flags: EraseFlags, means: CommandMeans): Promise<number> {
  const account = required(flags.account, "--account", "the account whose mail is deleted");
  const why = required(flags.why, "--why", "the reason, for the audit log");
  const { query, json } = flags;
  if (query !== undefined) required(query, "--query", "it is empty");
  const order = { account, query, why, zone: ownZone(), by: actingUser() };
  const counts = { deleted: 0, held: 0, other: 0 };
  for await (const departure of askArchive(means, "erase", order)) {
    const { what, path } = { what: "", path: "", ...departure };
    if (what === "deleted" || what === "held") counts[what]++;
    else counts.other++;
    if (json) await printJson(departure);
    else await print(`${what.padEnd(8)} ${printable(path)}\n`);
  }
  const { deleted, held, other } = counts;
  if (!json) await print(`${deleted} ${deleted === 1 ? "message" : "messages"} deleted\n`);
  if (held > 0) warn(`${held} on hold: see relayctl archive hold list`);
  if (other > 0) warn(`${other} could not be deleted: their files are missing or cannot be read`);
  return deleted > 0 && held === 0 && other === 0 ? EXIT.ok : EXIT.notDone;
}
