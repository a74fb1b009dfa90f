// relayctl doctor: is this relay set up right? All checks are made side by side, and none takes longer than the whole.
//
// Invariant: root becomes the relay's user before anything is looked at, so that what may be read and written is what the
// relay may, and no file is opened with more rights than its owner has.

import { systemClock } from "../../base/clock.ts";
import { print, printJson } from "../../base/terminal.ts";
import { become, becomeOwnerOf, findUser } from "../../base/users.ts";
import { firstLocalDomain, type Configuration } from "../../config/configuration.ts";
import { isSharedList } from "../../config/warnings.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { Log } from "../../observe/log.ts";
import { preload } from "../../receive/authentication/mailauth.ts";
import { controlSocket } from "../../run/control/protocol.ts";
import type { CommandMeans } from "../part.ts";
import { readAccounts } from "../../accounts/accounts.ts";
import { checkAccounts } from "./accounts.ts";
import { type Check, type CheckPart, type NamedFinding, runChecks, type Setup } from "./check.ts";
import { checkClock } from "./clock.ts";
import { checkDisk } from "./disk.ts";
import { checkDns } from "./dns/dns.ts";
import { type CheckName, CHECKS } from "./finding.ts";
import { checkFlow } from "./flow.ts";
import { checkGoogle } from "./google.ts";
import { checkLists } from "./lists.ts";
import { greetsAsUs } from "./own.ts";
import { checkQueue } from "./queue.ts";
import { checkReach } from "./reach.ts";
import { checkRelay, type SharedRule } from "./relay.ts";
import { exitCodeOf, reportJson, reportText } from "./report.ts";
import { checkTls } from "./tls.ts";

/** Milliseconds for all checks. */
const TIME = 45_000;

const TABLE: Readonly<Record<CheckName, Check>> = {
  dns: checkDns,
  tls: checkTls,
  reach: checkReach,
  lists: checkLists,
  accounts: checkAccounts,
  disk: checkDisk,
  clock: checkClock,
  queue: checkQueue,
  flow: checkFlow,
  relay: checkRunningRelay,
  google: checkGoogle,
};

/** Exit 0 if all is ok, 1 with warnings, 2 with failures. */
export async function doctor(
  words: readonly string[],
  { json }: Given,
  means: CommandMeans,
): Promise<number> {
  const wanted = wantedChecks(words);
  const configuration = await means.configuration();
  // Libraries are read with the rights of root, who may be the only one to read them.
  if (wanted.includes("dns")) await preload();
  becomeRelay(configuration);
  const findings = await examine(configuration, wanted, means);
  await (json ? printJson(reportJson(findings)) : print(reportText(findings)));
  return exitCodeOf(findings);
}

/** The findings of these checks, in their order. */
export async function examine(
  configuration: Configuration,
  wanted: readonly CheckName[],
  means: Pick<CommandMeans, "dryRun" | "queue">,
): Promise<readonly NamedFinding[]> {
  const chain = means.dryRun(configuration, SILENT);
  const signal = AbortSignal.timeout(TIME);
  const setup = { configuration, chain, clock: systemClock, means, signal };
  const findings = await runChecks(
    wanted.map((name) => [name, TABLE[name]] as const),
    setup,
  );
  // A question to the DNS that is still open must not hold up the report.
  void chain.close();
  return findings;
}

/** What is wrong is a finding, so the log of a dry run would say it twice. */
const SILENT: Log = { event: () => undefined };

/** All checks without words. Throws CommandError for a word that is no check. */
function wantedChecks(words: readonly string[]): readonly CheckName[] {
  const unknown = words.find((word) => !CHECKS.some((check) => check === word));
  if (unknown !== undefined) {
    throw new CommandError(`"${unknown}" is no check; there are: ${CHECKS.join(", ")}`, EXIT.usage);
  }
  return words.length === 0 ? CHECKS : CHECKS.filter((check) => words.includes(check));
}

function becomeRelay({ relay }: Configuration): void {
  if (process.getuid?.() !== 0) return;
  const user = relay.user === undefined ? undefined : findUser(relay.user);
  if (user === undefined) becomeOwnerOf(relay.spool_directory);
  else become(user);
}

async function checkRunningRelay(setup: Setup): Promise<readonly CheckPart[]> {
  const { configuration } = setup;
  const { all } = await readAccounts(configuration);
  const ownDomain = firstLocalDomain(configuration);
  const test = {
    controlSocket: controlSocket(configuration.relay),
    ownDomain,
    ownSender: all[0]?.address ?? (ownDomain === undefined ? undefined : `postmaster@${ownDomain}`),
    sharedRules: await sharedRules(setup),
    isServing: () => isServing(setup),
  };
  return [{ about: "the open-relay self-test", findings: checkRelay(test) }];
}

async function isServing({ configuration, signal }: Setup): Promise<boolean> {
  const hosts = configuration.listeners.map(({ address: { host } }) =>
    host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host,
  );
  const greets = [...new Set(hosts)].map((host) => greetsAsUs(host, configuration, signal));
  return (await Promise.all(greets)).includes(true);
}

async function sharedRules({ configuration, chain }: Setup): Promise<readonly SharedRule[]> {
  const { relay } = configuration.gate;
  const shared = relay.flatMap(({ hosts, client_certificates: certificates }, index) =>
    certificates === undefined && isSharedList(hosts, configuration) ? [{ hosts, index }] : [],
  );
  if (shared.length > 0) await chain.lists.refresh();
  return shared.map(({ hosts, index }) => {
    const sources = chain.lists.sources(hosts);
    return {
      name: `gate.relay[${index}]`,
      list: sources.map(({ name }) => `spf:${name}`).join(", "),
      networks: sources.flatMap(({ entries }) => entries),
    };
  });
}
