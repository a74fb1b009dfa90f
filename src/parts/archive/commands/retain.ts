// relayctl archive retain.

import { printable } from "../../../base/printable.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import { sizeText } from "../../../base/units.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { requireArchive } from "../service/settings.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";

interface RetainFlags extends Given {
  readonly dryRun: boolean;
}

export async function archiveRetain(
  { dryRun, json }: RetainFlags,
  means: CommandMeans,
): Promise<number> {
  const { retention } = requireArchive(await means.configuration());
  if (retention === undefined) {
    const what = "routers.toml has no table [archive.retention]: no mail ever goes";
    throw new CommandError(what, EXIT.configuration);
  }
  const verb = dryRun ? "retain-plan" : "retain";
  let count = 0;
  let octets = 0;
  let isMissed = false;
  for await (const value of askArchive(means, verb, { by: actingUser() })) {
    if ("missed" in value) {
      isMissed = true;
      continue;
    }
    if (json) await printJson(value);
    else await print(lineOf(value));
    if ("stays" in value) continue;
    count++;
    octets += "size" in value ? Number(value.size) : 0;
  }
  const done = dryRun ? "would be deleted" : "deleted";
  if (!json)
    await print(`${count} ${count === 1 ? "message" : "messages"} ${done}, ${sizeText(octets)}\n`);
  if (isMissed)
    warn("the water mark asks for more: the rest is younger than `minimum`, or on hold");
  return isMissed ? EXIT.notDone : EXIT.ok;
}

/** "2019-03-01 keep        /var/mail/…". */
function lineOf(value: object): string {
  const { path, rule, delivered, stays } = {
    path: "",
    rule: "",
    delivered: "",
    stays: undefined,
    ...value,
  };
  const end = stays === undefined ? "" : ` (${String(stays)}: stays)`;
  return `${delivered.slice(0, 10)} ${rule.padEnd(10)} ${printable(path)}${end}\n`;
}
