// relayctl archive hold add, list and release.

import { printable } from "../../../base/printable.ts";
import { folded, print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";
import { ownZone, required } from "./required.ts";

interface AddFlags extends Given {
  readonly query: string | undefined;
  readonly why: string | undefined;
}

export async function holdAdd(
  [name = ""]: readonly string[],
  flags: AddFlags,
  means: CommandMeans,
): Promise<number> {
  const query = required(flags.query, "--query", "the mail that the hold covers");
  const why = required(flags.why, "--why", "the reason, for the audit log");
  const order = { name, query, why, zone: ownZone(), by: actingUser() };
  for await (const hold of askArchive(means, "hold-add", order)) await printHold(hold, flags);
  return EXIT.ok;
}

export async function holdList(flags: Given, means: CommandMeans): Promise<number> {
  let count = 0;
  for await (const hold of askArchive(means, "hold-list", {})) {
    count++;
    await printHold(hold, flags);
  }
  if (count === 0 && !flags.json) await print("there are no holds\n");
  return EXIT.ok;
}

export async function holdRelease(
  [name = ""]: readonly string[],
  { json }: Given,
  means: CommandMeans,
): Promise<number> {
  for await (const released of askArchive(means, "hold-release", { name, by: actingUser() })) {
    if (json) await printJson(released);
    else await print(`released ${printable(name)}\n`);
  }
  return EXIT.ok;
}

async function printHold(hold: object, { json }: Given): Promise<void> {
  if (json) return await printJson(hold);
  const { name, query, why, by, since, covers } = {
    name: "",
    query: "",
    why: "",
    by: "",
    since: "",
    covers: 0,
    ...hold,
  };
  const lines = [
    ...folded(`${name}: covers ${covers} ${covers === 1 ? "message" : "messages"}`, 0),
    ...folded(`query: ${query}`, 2),
    ...folded(`why: ${why}`, 2),
    ...folded(`since ${since.slice(0, 16).replace("T", " ")} UTC, by ${by}`, 2),
  ];
  await print(`${lines.join("\n")}\n`);
}
