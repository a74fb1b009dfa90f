// relayctl queue hold and release: mail for a domain on hold waits until the postmaster releases it.

import { given } from "../../base/given.ts";
import type { Given } from "../../contract/command.ts";
import { systemClock } from "../../base/clock.ts";
import type { Carried } from "../../queue/postmaster.ts";
import { jsonLine } from "../../base/printable.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { print } from "../../base/terminal.ts";
import { domainOf } from "./filter.ts";
import { ageText } from "../../base/units.ts";
import { holdLine, holdObject } from "./format.ts";
import { openQueue } from "./open.ts";
import { findQueue } from "./place.ts";
import { ReachedQueue } from "./reach.ts";

export interface HoldOptions extends Given {
  readonly domain?: string | undefined;
}

/** Without a domain, lists the domains that are on hold. */
export async function queueHold(
  named: string | undefined,
  { config, json, domain: option }: HoldOptions,
): Promise<number> {
  const canonical = domainIn(named, option);
  const place = await findQueue(config);
  if (canonical === undefined) return listHolds(place.relay.spool_directory, json);
  await using queue = new ReachedQueue(place);
  await queue.carryOut({ action: "hold", domain: canonical });
  await print(json ? `${jsonLine({ domain: canonical })}\n` : `${canonical} is on hold\n`);
  return EXIT.ok;
}

async function listHolds(directory: string, json: boolean): Promise<number> {
  await using queue = await openQueue(directory);
  const now = systemClock.now();
  const holds = (await queue?.holds()) ?? [];
  const lines = holds.map((hold) => (json ? jsonLine(holdObject(hold)) : holdLine(hold, now)));
  await print(lines.map((line) => `${line}\n`).join(""));
  if (holds.length === 0 && !json) await print("No domain is on hold.\n");
  return EXIT.ok;
}

/** Exit 1 when the domain is not on hold. */
export async function queueRelease(
  named: string | undefined,
  { config, json, domain: option }: HoldOptions,
): Promise<number> {
  const canonical = domainIn(named, option);
  if (canonical === undefined) throw new CommandError("name a domain", EXIT.usage);
  const place = await findQueue(config);
  if (!(await isHeld(place.relay.spool_directory, canonical))) {
    throw new CommandError(`${canonical} is not on hold`, EXIT.notDone);
  }
  await using queue = new ReachedQueue(place);
  const carried = await queue.carryOut({ action: "release", domain: canonical });
  await print(
    `${json ? jsonLine(releaseObject(canonical, carried)) : releaseText(canonical, carried)}\n`,
  );
  return EXIT.ok;
}

/** The domain in canonical form. It is given as an argument, or with --domain as in the other commands. */
function domainIn(named: string | undefined, option: string | undefined): string | undefined {
  if (named !== undefined && option !== undefined) {
    throw new CommandError("name one domain: with --domain, or without", EXIT.usage);
  }
  if (named !== undefined) return domainOf(named, "the domain");
  return option === undefined ? undefined : domainOf(option, "--domain");
}

function releaseObject(domain: string, { released, hostWait }: Carried) {
  const next = hostWait && new Date(hostWait.until).toISOString();
  return { domain, recipients: released, ...given({ next_try: next }) };
}

/** A host that has failed is not tried before its retry time, even if its mail is released. */
function releaseText(domain: string, { released, hostWait }: Carried): string {
  const recipients = released === 1 ? "1 recipient" : `${released} recipients`;
  if (hostWait === undefined) return `${domain} is released, ${recipients} due now`;
  const { host, until } = hostWait;
  const wait = ageText(until - systemClock.now());
  const waits = released === 1 ? "waits" : "wait";
  return `${domain} is released, ${recipients} ${waits} for ${host}, next try in ${wait}`;
}

async function isHeld(directory: string, wanted: string): Promise<boolean> {
  await using queue = await openQueue(directory);
  const holds = (await queue?.holds()) ?? [];
  return holds.some(({ domain }) => domain === wanted);
}
