// One sync against a directory of the test: what is written, what stays when it cannot be, and that a running relay
// believes the new files at once.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDirectoryState } from "../../../src/accounts/directory-state.ts";
import { accountsOptions, type AccountsOptions } from "../../../src/accounts/options.ts";
import { DirectoryError, type FoundDirectory } from "../../../src/parts/accounts/source.ts";
import { syncAccounts, type SyncOrder, type SyncReport } from "../../../src/parts/accounts/sync.ts";
import { bench } from "../../lists/support.ts";
import { manualClock } from "../../support/clock.ts";

const DAY = 86_400_000;

class Office implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "sync-"));
  readonly clock = manualClock();
  readonly warnings: string[] = [];
  found: FoundDirectory | Error = { users: [], groups: [] };
  readonly #options: AccountsOptions;

  constructor(given: object = {}) {
    const options = accountsOptions.read(
      {
        domains: ["example.com"],
        file: this.path("accounts/{domain}"),
        extra: [],
        ...given,
      },
      "",
      [],
    );
    assert.ok(options);
    this.#options = options;
    this.users("alice", "bob", "carol");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  users(...names: readonly string[]): void {
    const users = names.map((name) => ({
      address: `${name}@example.com`,
      aliases: [],
      state: "active" as const,
    }));
    this.found = { users, groups: [] };
  }

  sync(order: SyncOrder = {}): Promise<SyncReport> {
    const { found } = this;
    return syncAccounts(
      this.#options,
      {
        clock: this.clock,
        spoolDirectory: this.path("spool"),
        read: () => (found instanceof Error ? Promise.reject(found) : Promise.resolve(found)),
        warn: (what) => this.warnings.push(what),
      },
      order,
    );
  }

  get list(): string {
    return readFileSync(this.path("accounts/example.com"), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

const names = (list: string) =>
  list.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("an address that is gone stays for removal_delay under its date, also if accounts.json is lost", async () => {
  for (const isLost of [false, true]) {
    using office = new Office({ shrink_limit: "50%" });
    await office.sync();
    office.users("alice", "bob");
    const left = office.clock.now();
    assert.deepEqual((await office.sync()).delayed, ["carol@example.com"]);
    const date = new Date(left).toISOString();
    assert.ok(office.list.includes(`# Left the directory at ${date}; `), office.list);
    office.clock.advance(7 * DAY - 1);
    if (isLost) rmSync(office.path("spool"), { recursive: true });
    assert.deepEqual((await office.sync()).removed, []);
    assert.deepEqual(names(office.list), ["alice", "bob", "carol"]);
    office.clock.advance(1);
    assert.deepEqual((await office.sync()).removed, ["carol@example.com"]);
    assert.deepEqual(names(office.list), ["alice", "bob"]);
  }
});

test("the state has what the files cannot say", async () => {
  using office = new Office();
  await office.sync();
  const state = await readDirectoryState(office.path("spool"));
  assert.equal(state?.syncedAt, office.clock.now());
  assert.deepEqual(state?.accounts[0], {
    address: "alice@example.com",
    kind: "user",
    state: "active",
    aliases: [],
  });
});

test("a damaged state does not stop a sync", async () => {
  using office = new Office();
  await office.sync();
  writeFileSync(office.path("spool/accounts.json"), "{");
  assert.equal((await office.sync()).written, true);
  assert.match(office.warnings.join(), /accounts\.json cannot be used/);
});

describe("nothing is written", () => {
  test("if the directory could be read only in part, and it is no error of the caller", async () => {
    using office = new Office();
    office.found = new DirectoryError("half", "only a part");
    assert.deepEqual((await office.sync({ isForced: true })).refused, "only a part");
    await assert.rejects(
      readDirectoryState(office.path("spool")).then((state) => assert.ok(state)),
    );
  });

  test("if one of the files cannot be: the others are as they were", async () => {
    using office = new Office({ group_members: "/dev/null/members" });
    const users = [{ address: "alice@example.com", aliases: [], state: "active" as const }];
    office.found = { users, groups: [], members: new Map() };
    mkdirSync(office.path("accounts"));
    writeFileSync(office.path("accounts/example.com"), "alice\n");
    await assert.rejects(office.sync(), /ENOTDIR/);
    assert.equal(office.list, "alice\n");
    assert.equal(await readDirectoryState(office.path("spool")), undefined);
  });
});

test("a relay that serves believes what a sync takes out, whatever it is", async () => {
  using office = new Office({ shrink_limit: "100%", removal_delay: "0s" });
  const spool = office.path("spool");
  await office.sync();
  const items = [`lsearch:${office.path("accounts/example.com")}`];
  {
    using first = bench({ stateDirectory: spool });
    assert.equal((await first.lists.localParts(items).match("carol")).kind, "in");
    await first.lists.close();
  }
  using b = bench({ stateDirectory: spool });
  const list = b.lists.localParts(items);
  assert.equal((await list.match("carol")).kind, "in");
  office.users("alice");
  await office.sync();
  assert.equal((await list.match("carol")).kind, "out");
  assert.deepEqual(b.log.named("alarm"), []);
  await b.lists.close();
});

test("a company without groups has a file of members that is believed, also after the last group", async () => {
  using place = new Office();
  const path = place.path("members");
  using other = new Office({ group_members: path });
  const users = [{ address: "alice@example.com", aliases: [], state: "active" as const }];
  other.found = {
    users,
    groups: [],
    members: new Map([["all@example.com", ["alice@example.com"]]]),
  };
  await other.sync();
  using b = bench({ stateDirectory: other.path("spool") });
  const lookup = b.lists.lookup(`lsearch:${path}`);
  assert.equal((await lookup.find(["all@example.com"])).kind, "found");
  await b.lists.close();
  other.found = { users, groups: [], members: new Map() };
  await other.sync();
  using after = bench({ stateDirectory: other.path("spool") });
  assert.deepEqual(await after.lists.lookup(`lsearch:${path}`).find(["alice@example.com"]), {
    kind: "none",
  });
  await after.lists.close();
});
