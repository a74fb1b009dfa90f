// The accounts: whether their lists can be read and have entries, and whether the sync of [accounts] is up to date.

import { accountsOptionsOf, type Accounts, readAccounts } from "../../accounts/accounts.ts";
import { isTable } from "../../base/table.ts";
import { ageText } from "../../base/units.ts";
import { parseLookup } from "../../lists/lookup.ts";
import { askPart } from "../../run/control/client.ts";
import { controlSocket } from "../../run/control/protocol.ts";
import type { CheckPart, Setup } from "./check.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

const HOUR = 3_600_000;
/** Ages of the accounts that count as old if `interval` is short. */
const OLD = HOUR;
const VERY_OLD = 24 * HOUR;

export function checkAccounts(setup: Setup): readonly CheckPart[] {
  const { configuration } = setup;
  const accounts = {
    about: "the accounts",
    findings: readAccounts(configuration).then((found) => judge(found, setup)),
  };
  if (accountsOptionsOf(configuration) === undefined) return [accounts];
  const socket = controlSocket(configuration.relay);
  return [accounts, { about: "the sync of accounts", findings: lastSync(socket) }];
}

/** The problem of the last sync, as the running relay reports it; none if no relay runs, or if the sync passed. */
async function lastSync(socket: string): Promise<readonly Finding[]> {
  try {
    return syncProblem(await askPart(socket, "accounts/status", {}));
  } catch {
    // The check `relay` says why the relay cannot be asked.
    return [];
  }
}

/** `status` is the answer to the order `status` of the part for accounts. */
export function syncProblem(status: unknown): readonly Finding[] {
  const problem = isTable(status) && isTable(status["problem"]) ? status["problem"] : undefined;
  if (typeof problem?.["why"] !== "string") return [];
  const why = `[accounts]: ${problem["why"]}`;
  return problem["kind"] === "refused"
    ? [
        failure(
          why,
          "See relayctl accounts sync --dry-run. If the change is right, run relayctl accounts sync --force.",
        ),
      ]
    : [warning(why, "Run relayctl accounts sync, which says what to change.")];
}

function judge(accounts: Accounts, setup: Setup): readonly Finding[] {
  const options = accountsOptionsOf(setup.configuration);
  const problems = accounts.problems.map((problem) =>
    failure(
      problem,
      "Mail for names that are not known for certain gets 451 until the list can be read.",
    ),
  );
  return [
    ...problems,
    ...sizeFinding(accounts, setup),
    ...(options === undefined ? [] : [syncFinding(accounts, options.interval, setup)]),
  ];
}

function sizeFinding({ all, problems }: Accounts, { configuration }: Setup): Finding[] {
  if (all.length === 0) {
    if (problems.length > 0) return [];
    return [
      hasLists(configuration)
        ? failure(
            "the lists of the accounts are empty, so no mail has a copy",
            "Write the accounts into the files of local_parts, or run relayctl accounts sync.",
          )
        : skipped("no copying router names its accounts in a list"),
    ];
  }
  const aliases = all.reduce((sum, { aliases: own }) => sum + own.length, 0);
  const gone = all.filter(({ state }) => state === "departed").length;
  const rest = gone === 0 ? "" : `, ${gone} of them have left the directory`;
  return [
    ok(
      `${all.length} ${all.length === 1 ? "account" : "accounts"}, ${aliases} ${aliases === 1 ? "alias" : "aliases"}${rest}`,
    ),
  ];
}

/** Whether a copying router looks its accounts up. */
function hasLists({ routers }: Setup["configuration"]): boolean {
  return routers.some(({ chain }) => {
    const items = [...(chain.local_parts ?? []), ...(chain.sender_local_parts ?? [])];
    return chain.unseen && items.some((item) => parseLookup(item) !== undefined);
  });
}

function syncFinding({ syncedAt }: Accounts, interval: number, { clock }: Setup): Finding {
  const advice = "Run relayctl accounts sync, which says what is wrong.";
  if (syncedAt === undefined) return failure("[accounts]: there was no sync yet", advice);
  const age = clock.now() - syncedAt;
  const found = `[accounts]: the last good sync was ${ageText(age)} ago`;
  if (interval === 0) return ok(`${found}, by hand (interval = "0s")`);
  if (age >= Math.max(VERY_OLD, 4 * interval)) {
    return failure(`${found}: newcomers get no mail`, advice);
  }
  return age >= Math.max(OLD, 3 * interval) ? warning(found, advice) : ok(found);
}
