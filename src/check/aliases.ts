// Aliases that lead nowhere. Each name of an alias file goes through the routers, as in a dry run. If an address that
// it leads to is refused, the reason is reported with the file and line. The DNS is not asked, so addresses of other
// domains count as valid.

import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { surveysOf } from "../config/warnings.ts";
import { firstLocalDomain } from "../config/configuration.ts";
import type { RouteRequest, RouteTrouble, TraceStep } from "../route/route.ts";
import { parseMailbox } from "../mail/address.ts";
import { quietChain } from "./quiet-chain.ts";

/** Number of names that are tried, over all files together. */
const NAMES_MAX = 10_000;

const STRANGER: RouteRequest = {
  sender: { address: "someone@example.net", localPart: "someone", domain: "example.net" },
  client: { address: "192.0.2.1", helo: "[192.0.2.1]" },
  verify: true,
};

/** Returns one clause for each dead alias, with the file and the line in front. */
export async function deadAliases(configuration: Configuration, clock: Clock): Promise<string[]> {
  const surveys = await surveysOf(configuration);
  const names = surveys.flatMap(({ addresses }) => addresses).slice(0, NAMES_MAX);
  const domain = firstLocalDomain(configuration);
  if (names.length === 0 || domain === undefined) return [];
  const chain = quietChain(configuration, clock);
  try {
    const dead: string[] = [];
    for (const { name, at } of names) {
      const mailbox = parseMailbox(name.includes("@") ? name : `${name}@${domain}`);
      if (mailbox === undefined) continue;
      const trace: TraceStep[] = [];
      const { troubles } = await chain.route(mailbox, { ...STRANGER, trace });
      if (!trace.some(({ result }) => result === "redirect")) continue;
      for (const trouble of troubles) {
        const why = deadEnd(trouble, mailbox.address);
        if (why !== undefined) dead.push(`${at}: ${why}`);
      }
    }
    return dead;
  } finally {
    await chain.close();
  }
}

/** Undefined for a refusal that the file itself demands, and for a deferral. */
function deadEnd(trouble: RouteTrouble, name: string): string | undefined {
  const { kind, router, unseen, mailbox, status } = trouble;
  if (kind !== "failed" || unseen) return undefined;
  if (mailbox.address === name) {
    return router === "" ? "leads back to itself, and no other router takes it" : undefined;
  }
  return `leads to ${mailbox.address}, which gets ${status.code} ${status.enhanced} ${status.text}`;
}
