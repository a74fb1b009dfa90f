// The plan of a sync: which names the files get, what stays for a while, and when nothing may be written.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AccountsFile } from "../../../src/accounts/account-files.ts";
import {
  type PlanInput,
  type PlanOptions,
  planSync,
  type SyncPlan,
} from "../../../src/parts/accounts/plan.ts";
import type { FoundAccount, FoundDirectory } from "../../../src/parts/accounts/source.ts";

const NOW = Date.parse("2026-12-01T10:00:00Z");
const DAY = 86_400_000;

const OPTIONS: PlanOptions = {
  domains: ["example.com", "example.net"],
  suspended: "accept",
  removal_delay: 7 * DAY,
  shrink_limit: 0.1,
  extra: [],
};

const account = (address: string, ...aliases: string[]): FoundAccount => ({
  address,
  aliases,
  state: "active",
});

const ALICE = account("alice@example.com");

function directory(
  users: readonly FoundAccount[],
  groups: readonly FoundAccount[] = [],
): FoundDirectory {
  return { users, groups };
}

/** A file with these lines: "alice", "al: alice". A "-" in front: it has left the directory a day ago. */
function file(...lines: readonly string[]): AccountsFile {
  const names = lines.map((line) => line.replace(/^-/, "").split(": "));
  return {
    entries: new Map(names.map(([name = "", value = ""]) => [name, value])),
    departed: new Map(
      lines.flatMap((line) =>
        line.startsWith("-") ? [[line.slice(1).split(": ")[0] ?? "", NOW - DAY]] : [],
      ),
    ),
  };
}

interface Case extends Partial<Omit<PlanInput, "options" | "files">> {
  readonly options?: Partial<PlanOptions>;
  readonly files?: Readonly<Record<string, AccountsFile>>;
}

function planned({ options, files = {}, ...given }: Case): SyncPlan {
  return planSync({
    found: directory([ALICE]),
    state: undefined,
    now: NOW,
    isForced: false,
    ...given,
    options: { ...OPTIONS, ...options },
    files: new Map(Object.entries(files)),
  });
}

function linesOf(plan: SyncPlan, domain = "example.com"): string[] {
  const { entries = new Map<string, string>(), departed = new Map<string, number>() } =
    plan.files.get(domain) ?? {};
  return Array.from(
    entries,
    ([name, value]) => `${departed.has(name) ? "-" : ""}${name}${value === "" ? "" : `: ${value}`}`,
  ).toSorted((a, b) => (a < b ? -1 : 1));
}

describe("the names of a directory", () => {
  test("are its primary addresses and aliases, in the file of their own domain", () => {
    const found = directory(
      [
        account("alice@example.com", "alice.smith@example.com", "al@example.net", "a@example.org"),
        account("carol@example.net", "carol@example.com"),
      ],
      [account("sales@example.com", "verkauf@example.com")],
    );
    const plan = planned({ found });
    assert.deepEqual(linesOf(plan), [
      "alice",
      "alice.smith: alice",
      "carol: carol@example.net",
      "sales",
      "verkauf: sales",
    ]);
    assert.deepEqual(linesOf(plan, "example.net"), ["al: alice@example.com", "carol"]);
    assert.equal(plan.refused, undefined);
  });

  test("with a primary address elsewhere have the first of ours as account", () => {
    const bob = account("bob@example.org", "robert@example.com", "bob@example.net");
    const plan = planned({ found: directory([bob]) });
    assert.deepEqual(linesOf(plan), ["robert"]);
    assert.deepEqual(linesOf(plan, "example.net"), ["bob: robert@example.com"]);
    assert.deepEqual(
      plan.accounts.map(({ address }) => address),
      ["robert@example.com"],
    );
  });

  test("never let an alias take the name of an account, or of an earlier alias", () => {
    const found = directory(
      [
        account("alice@example.com", "bob@example.com", "info@example.com"),
        account("bob@example.com"),
      ],
      [account("team@example.com", "info@example.com", "alice@example.com")],
    );
    assert.deepEqual(linesOf(planned({ found })), ["alice", "bob", "info: alice", "team"]);
  });

  test("have local parts that are always there, unless the directory knows better", () => {
    const found = directory([account("alice@example.com", "postmaster@example.com")]);
    const plan = planned({ found, options: { extra: ["Postmaster", "abuse"] } });
    assert.deepEqual(linesOf(plan), ["abuse", "alice", "postmaster: alice"]);
    assert.deepEqual(linesOf(plan, "example.net"), ["abuse", "postmaster"]);
  });

  test("leave suspended and archived users out only if their mail is refused", () => {
    const found = directory([
      ALICE,
      { ...account("bob@example.com", "b@example.net"), state: "suspended" },
      { ...account("carol@example.com"), state: "archived" },
    ]);
    const files = {
      "example.com": file("alice", "bob", "carol"),
      "example.net": file("b: bob@example.com"),
    };
    assert.deepEqual(linesOf(planned({ found, files })), ["alice", "bob", "carol"]);
    const options = { suspended: "refuse", shrink_limit: 1 } as const;
    const refused = planned({ found, files, options });
    assert.deepEqual(linesOf(refused), ["alice"]);
    assert.deepEqual(refused.removed, ["b@example.net", "bob@example.com", "carol@example.com"]);
    assert.deepEqual(refused.delayed, []);
  });
});

describe("a name that has left the directory", () => {
  test("stays for removal_delay, with the time when it was first missed", () => {
    const files = { "example.com": file("alice", "bob", "-carol", "-c: carol") };
    const plan = planned({ files });
    assert.deepEqual(linesOf(plan), ["-bob", "-c: carol", "-carol", "alice"]);
    assert.deepEqual(plan.files.get("example.com")?.departed.get("carol"), NOW - DAY);
    assert.deepEqual(plan.delayed, ["bob@example.com", "c@example.com", "carol@example.com"]);
    assert.deepEqual(plan.removed, []);
    assert.deepEqual(plan.departed, [
      { address: "bob@example.com", account: "bob@example.com", since: NOW },
      { address: "carol@example.com", account: "carol@example.com", since: NOW - DAY },
      { address: "c@example.com", account: "carol@example.com", since: NOW - DAY },
    ]);
  });

  test("leaves when its time is over, and not a moment before", () => {
    const files = { "example.com": file("alice", "-bob") };
    for (const [now, lines] of [
      [NOW + 6 * DAY - 1, ["-bob", "alice"]],
      [NOW + 6 * DAY, ["alice"]],
    ] as const) {
      const plan = planned({ files, now, options: { shrink_limit: 0.5 } });
      assert.deepEqual(linesOf(plan), lines);
      assert.deepEqual(plan.removed, lines.length === 1 ? ["bob@example.com"] : []);
    }
  });

  test("is known from the last state if the comment in the file is lost", () => {
    const state = {
      syncedAt: NOW,
      accounts: [],
      departed: [{ address: "bob@example.com", account: "bob@example.com", since: NOW - 3 * DAY }],
    };
    const plan = planned({ files: { "example.com": file("alice", "bob") }, state });
    assert.equal(plan.files.get("example.com")?.departed.get("bob"), NOW - 3 * DAY);
  });

  test("does not stay longer because a clock was ahead", () => {
    const ahead: AccountsFile = {
      ...file("alice", "bob"),
      departed: new Map([["bob", NOW + 90 * DAY]]),
    };
    const plan = planned({ files: { "example.com": ahead } });
    assert.equal(plan.files.get("example.com")?.departed.get("bob"), NOW);
  });

  test("is a name like any other when it comes back", () => {
    const found = directory([ALICE, account("bob@example.com")]);
    const plan = planned({ found, files: { "example.com": file("alice", "-bob") } });
    assert.deepEqual(linesOf(plan), ["alice", "bob"]);
    assert.deepEqual([plan.added, plan.removed, plan.delayed], [[], [], []]);
  });

  test("leaves at once without a delay", () => {
    const options = { removal_delay: 0, shrink_limit: 0.5 };
    const plan = planned({ options, files: { "example.com": file("alice", "bob") } });
    assert.deepEqual([linesOf(plan), plan.removed], [["alice"], ["bob@example.com"]]);
  });
});

const names = (count: number) => Array.from({ length: count }, (_, index) => `u${index}`);

describe("a sync is refused", () => {
  const full = (count: number) =>
    directory(names(count).map((name) => account(`${name}@example.com`)));
  const at = { removal_delay: 0 };

  const cases: Readonly<Record<string, readonly [Case, RegExp | undefined]>> = {
    "if the directory is empty": [
      { found: directory([]) },
      /no user with an address in example\.com/,
    ],
    "if it has only groups": [{ found: directory([], [account("all@example.com")]) }, /no user/],
    "if all its users are elsewhere": [
      { found: directory([account("alice@example.org")]) },
      /no user/,
    ],
    "if a file would lose more than the limit": [
      { found: full(17), files: { "example.com": file(...names(20)) }, options: at },
      /take out 3 of the 20 entries of example\.com, more than shrink_limit \(10%\).*--force/,
    ],
    "not if it would lose just as much as the limit": [
      { found: full(18), files: { "example.com": file(...names(20)) }, options: at },
      undefined,
    ],
    "not at 29 of 100 with a limit of 29%": [
      {
        found: full(71),
        files: { "example.com": file(...names(100)) },
        options: { ...at, shrink_limit: 0.29 },
      },
      undefined,
    ],
    "not for names that stay for the present": [
      { found: full(1), files: { "example.com": file(...names(20)) } },
      undefined,
    ],
    "if one of several files would, and the others would not": [
      {
        found: full(50),
        files: { "example.com": file(...names(50)), "example.net": file("a", "b") },
        options: at,
      },
      /2 of the 2 entries of example\.net/,
    ],
    "if all groups have vanished": [
      {
        state: {
          syncedAt: NOW,
          departed: [],
          accounts: [{ address: "all@example.com", kind: "group", state: "active", aliases: [] }],
        },
      },
      /no group any more, and had 1/,
    ],
    "not if there never were groups": [
      { state: { syncedAt: NOW, departed: [], accounts: [] } },
      undefined,
    ],
    "not at the first sync over a file that was written by hand": [
      { found: full(2), files: { "example.com": file(...names(20)) } },
      undefined,
    ],
    "not at all with a limit of 100%": [
      {
        found: full(1),
        files: { "example.com": file(...names(20)) },
        options: { ...at, shrink_limit: 1 },
      },
      undefined,
    ],
    "for one name with a limit of 0%": [
      {
        found: full(99),
        files: { "example.com": file(...names(100)) },
        options: { ...at, shrink_limit: 0 },
      },
      /1 of the 100 entries.*\(0%\)/,
    ],
  };
  for (const [how, [input, expected]] of Object.entries(cases)) {
    test(how, () => {
      const { refused } = planned(input);
      if (expected === undefined) assert.equal(refused, undefined);
      else assert.match(refused ?? "it was not refused", expected);
      const isEmpty = /no user/.test(refused ?? "");
      const forced = planned({ ...input, isForced: true }).refused;
      assert.equal(forced, isEmpty ? refused : undefined, "by order");
    });
  }
});

test("members are those of our domains, under the names of their accounts", () => {
  const found = {
    ...directory(
      [
        account("alice@example.com", "al@example.net"),
        account("bob@example.org", "bob@example.net"),
      ],
      [account("team@example.org", "team@example.com"), account("all@example.com")],
    ),
    members: new Map([
      [
        "team@example.org",
        ["al@example.net", "alice@example.com", "x@example.org", "bob@example.org"],
      ],
      ["all@example.com", ["team@example.org", "left@example.com"]],
      ["other@example.org", ["alice@example.com"]],
    ]),
  };
  assert.deepEqual(
    planned({ found }).members,
    new Map([
      ["team@example.com", ["alice@example.com", "bob@example.net"]],
      ["all@example.com", ["left@example.com", "team@example.com"]],
    ]),
  );
});

test("the report names what changes", () => {
  const found = directory([ALICE, account("zoe@example.com")]);
  const plan = planned({
    found,
    files: {
      "example.com": file("alice", "bob", ...Array.from({ length: 9 }, (_, n) => `-x${n}`)),
    },
    now: NOW + 6 * DAY,
    isForced: true,
  });
  assert.deepEqual(plan.added, ["zoe@example.com"]);
  assert.equal(plan.removed.length, 9);
  assert.deepEqual(plan.delayed, ["bob@example.com"]);
});
