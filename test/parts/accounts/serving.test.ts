// The sync while the relay serves: its times, what asks for one at once, and the alarms while it is refused.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { accountsOptions, type AccountsOptions } from "../../../src/accounts/options.ts";
import { ServingSync } from "../../../src/parts/accounts/serving.ts";
import { DirectoryError, type FoundDirectory } from "../../../src/parts/accounts/source.ts";
import { manualClock } from "../../support/clock.ts";
import { WaitingLog } from "../../support/relay.ts";

const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

class Relay implements AsyncDisposable {
  readonly clock = manualClock();
  readonly log = new WaitingLog();
  readonly directory = mkdtempSync(join(tmpdir(), "serving-"));
  /** The starts of syncs, in seconds since the relay started. */
  readonly syncs: number[] = [];
  found: FoundDirectory | Error = directoryOf("alice", "bob");
  /** In place of `found`, if it takes a while. */
  answer: Promise<FoundDirectory> | undefined;
  readonly #begun = this.clock.monotonic();
  readonly sync = new ServingSync({
    clock: this.clock,
    log: this.log,
    spoolDirectory: join(this.directory, "spool"),
    read: () => {
      this.syncs.push((this.clock.monotonic() - this.#begun) / SECOND);
      if (this.answer !== undefined) return this.answer;
      return this.found instanceof Error ? Promise.reject(this.found) : Promise.resolve(this.found);
    },
  });

  options(given: object = {}): AccountsOptions | undefined {
    const file = join(this.directory, "accounts");
    return accountsOptions.read({ domains: ["example.com"], file, ...given }, "", []);
  }

  async follow(given: object = {}, isWaiting = true): Promise<void> {
    this.sync.follow(this.options(given));
    if (isWaiting) await this.pass(0);
    else this.clock.advance(0);
  }

  /** Lets time pass, and the syncs that are due meanwhile end. */
  async pass(milliseconds: number, step = MINUTE): Promise<void> {
    for (let left = milliseconds; ; left -= step) {
      this.clock.advance(Math.max(0, Math.min(left, step)));
      await this.sync.passed();
      if (left <= step) return;
    }
  }

  fails(recipient: string, status = "550 5.1.1 No such user", more: object = {}): void {
    const delivery = { id: "1", recipient, router: "r", transport: "t", host: "mx.google.test" };
    this.sync.hear({ ...delivery, status, ...more });
  }

  get alarms(): string[] {
    return this.log.named("alarm").map(({ what }) => what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sync.close();
    rmSync(this.directory, { recursive: true });
  }
}

function directoryOf(...names: readonly string[]): FoundDirectory {
  const users = names.map((name) => ({
    address: `${name}@example.com`,
    aliases: [`${name}.alias@example.com`],
    state: "active" as const,
  }));
  return { users, groups: [] };
}

test("syncs come at the start and after each interval", async () => {
  await using relay = new Relay();
  await relay.follow({ interval: "15m" });
  await relay.pass(31 * MINUTE);
  assert.deepEqual(relay.syncs, [0, 900, 1800]);
  const [first, second] = relay.log.named("accounts.synced");
  assert.deepEqual([first?.users, first?.aliases, first?.added.length], [2, 2, 6]);
  assert.deepEqual(second?.added, []);
});

test("a sync that takes longer than the interval is followed by the next one at once", async () => {
  await using relay = new Relay();
  const slow = Promise.withResolvers<FoundDirectory>();
  relay.answer = slow.promise;
  await relay.follow({ interval: "10s" }, false);
  relay.clock.advance(35 * SECOND);
  assert.deepEqual(relay.syncs, [0]);
  relay.answer = undefined;
  slow.resolve(directoryOf("alice", "bob"));
  await relay.sync.passed();
  await relay.pass(0);
  assert.deepEqual(relay.syncs, [0, 35]);
  await relay.pass(10 * SECOND);
  assert.deepEqual(relay.syncs, [0, 35, 45]);
});

test("without the table, or with an interval of 0s, none comes by itself", async () => {
  await using relay = new Relay();
  relay.sync.follow(undefined);
  await relay.pass(HOUR);
  await relay.follow({ interval: "0s" });
  relay.fails("alice@example.com");
  await relay.pass(HOUR);
  assert.deepEqual(relay.syncs, []);
});

test("a reload syncs at once only if the table has changed", async () => {
  await using relay = new Relay();
  await relay.follow();
  await relay.pass(5 * MINUTE);
  await relay.follow();
  assert.deepEqual(relay.syncs, [0]);
  await relay.follow({ suspended: "refuse" });
  assert.deepEqual(relay.syncs, [0, 300]);
  relay.sync.follow(undefined);
  await relay.pass(HOUR);
  assert.deepEqual(relay.syncs, [0, 300]);
});

describe("a refusal of an unknown user", () => {
  test("of one of our accounts asks for a sync, at most one a minute", async () => {
    await using relay = new Relay();
    await relay.follow({ interval: "1h" });
    await relay.pass(10 * SECOND);
    relay.fails("alice@example.com");
    relay.fails("bob@example.com");
    await relay.pass(40 * SECOND, 10 * SECOND);
    assert.deepEqual(relay.syncs, [0]);
    await relay.pass(10 * SECOND);
    assert.deepEqual(relay.syncs, [0, 60]);
    await relay.pass(5 * MINUTE);
    relay.fails("alice@example.com");
    await relay.pass(0);
    assert.deepEqual(relay.syncs, [0, 60, 360]);
  });

  const cases: readonly (readonly [string, string | undefined, object, boolean])[] = [
    ["Alice@Example.com", undefined, {}, true],
    ["alice+lists@example.com", undefined, {}, true],
    ["alice.alias@example.com", undefined, {}, true],
    ["alice@example.com", "550-5.1.1 The email account does not exist", {}, true],
    ["ghost@example.com", undefined, {}, false],
    ["alice@example.org", undefined, {}, false],
    ["alice@example.com", "550 5.1.10 RecipientNotFound", {}, false],
    ["alice@example.com", "550 5.7.1 not allowed", {}, false],
    ["alice@example.com", "450 4.1.1 later", {}, false],
    ["alice@example.com", undefined, { unseen: true }, false],
    ["alice@example.com", undefined, { host: undefined }, false],
  ];
  for (const [recipient, status, more, isAsked] of cases) {
    test(`${recipient} ${status ?? "550 5.1.1"} ${JSON.stringify(more)}: ${isAsked}`, async () => {
      await using relay = new Relay();
      await relay.follow({ interval: "1h" });
      await relay.pass(2 * MINUTE);
      relay.fails(recipient, status, more);
      await relay.pass(MINUTE);
      assert.deepEqual(relay.syncs, isAsked ? [0, 120] : [0]);
    });
  }
});

test("while a sync is refused the alarm comes at once and each hour, until one passes", async () => {
  await using relay = new Relay();
  await relay.follow({ removal_delay: "0s" });
  relay.found = directoryOf("alice");
  await relay.pass(3 * HOUR + MINUTE);
  assert.ok(relay.log.named("accounts.refused").length > 10);
  assert.equal(relay.alarms.length, 3);
  assert.match(relay.alarms[0] ?? "", /refused.*shrink_limit.*--force/);
  const { isOn, problem } = relay.sync.status;
  assert.deepEqual([isOn, problem?.kind], [true, "refused"]);
  assert.match(problem?.why ?? "", /shrink_limit/);
  relay.found = directoryOf("alice", "bob");
  await relay.pass(3 * HOUR);
  assert.equal(relay.alarms.length, 4);
  assert.deepEqual(relay.sync.status, { isOn: true });
});

test("an empty directory raises the alarm at once, also after an hour without Google began", async () => {
  await using relay = new Relay();
  relay.found = new DirectoryError("unreachable", "googleapis.com: no answer");
  await relay.follow();
  assert.deepEqual(relay.alarms, []);
  relay.found = directoryOf();
  await relay.pass(15 * MINUTE);
  assert.match(relay.alarms.join(), /no user with an address in example\.com/);
});

test("Google may be out of reach for an hour; a wrong key is an alarm at once", async () => {
  await using relay = new Relay();
  relay.found = new DirectoryError("unreachable", "googleapis.com: no answer");
  await relay.follow();
  await relay.pass(HOUR - MINUTE);
  assert.deepEqual(relay.alarms, []);
  await relay.pass(2 * MINUTE);
  assert.match(relay.alarms.join(), /cannot be synced.*no answer/);
  await using other = new Relay();
  other.found = new DirectoryError("key", "key.json: there is no such file");
  await other.follow();
  assert.match(other.alarms.join(), /key\.json/);
  assert.equal(other.log.named("accounts.failed")[0]?.error, "key.json: there is no such file");
});

test("the end of the relay ends a sync that waits for Google, without an event", async () => {
  const clock = manualClock();
  const log = new WaitingLog();
  const sync = new ServingSync({
    clock,
    log,
    spoolDirectory: "/nonexistent",
    read: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  });
  sync.follow(accountsOptions.read({ domains: ["example.com"], file: "/nonexistent/a" }, "", []));
  clock.advance(0);
  await sync.close();
  assert.deepEqual(log.named("accounts.failed"), []);
  clock.advance(HOUR);
});
