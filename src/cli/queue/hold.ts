// relayctl queue hold and release: domains whose mail waits until the postmaster lets it go.

import { systemClock } from "../../clock.ts";
import { jsonLine } from "../../printable.ts";
import { requireConfiguration } from "../configuration-file.ts";
import { CommandError, EXIT } from "../exit.ts";
import { print } from "../terminal.ts";
import { domainOf } from "./filter.ts";
import { holdLine } from "./format.ts";
import { openQueue } from "./open.ts";
import { ReachedQueue } from "./reach.ts";

export interface HoldOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly domain?: string;
}

/** Without a domain, the domains that are on hold. */
export async function queueHold(options: HoldOptions): Promise<number> {
  const { config, json, domain } = options;
  const configuration = await requireConfiguration(config);
  if (domain === undefined) {
    using queue = openQueue(configuration.relay.spool_directory);
    const now = systemClock.now();
    const holds = queue?.holds() ?? [];
    const lines = holds.map((hold) => (json === true ? jsonLine(hold) : holdLine(hold, now)));
    await print(lines.map((line) => `${line}\n`).join(""));
    if (holds.length === 0 && json !== true) await print("No domain is on hold.\n");
    return EXIT.ok;
  }
  const canonical = domainOf(domain, "--domain");
  await using queue = new ReachedQueue(configuration);
  await queue.carryOut({ action: "hold", domain: canonical });
  await print(json === true ? `${jsonLine({ domain: canonical })}\n` : `${canonical} is on hold\n`);
  return EXIT.ok;
}

/** Exit 1 when the domain is not on hold. */
export async function queueRelease({ config, json, domain }: HoldOptions): Promise<number> {
  if (domain === undefined) throw new CommandError("name a --domain", EXIT.usage);
  const canonical = domainOf(domain, "--domain");
  const configuration = await requireConfiguration(config);
  if (!isHeld(configuration.relay.spool_directory, canonical)) {
    throw new CommandError(`${canonical} is not on hold`, EXIT.notDone);
  }
  await using queue = new ReachedQueue(configuration);
  const { released } = await queue.carryOut({ action: "release", domain: canonical });
  const recipients = released === 1 ? "1 recipient" : `${released} recipients`;
  await print(
    json === true
      ? `${jsonLine({ domain: canonical, recipients: released })}\n`
      : `${canonical} is released, ${recipients} due now\n`,
  );
  return EXIT.ok;
}

function isHeld(directory: string, wanted: string): boolean {
  using queue = openQueue(directory);
  return queue?.holds().some(({ domain }) => domain === wanted) === true;
}
