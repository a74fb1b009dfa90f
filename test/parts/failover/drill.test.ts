// relayctl failover drill: what it rehearses, and that it leaves everything as it was.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { CommandError } from "../../../src/contract/exit.ts";
import { passwordFieldOf } from "../../../src/users/passwd-file.ts";
import { manualClock } from "../../support/clock.ts";
import { send } from "../../support/transaction.ts";
import { ACCOUNT, drillPlace, type DrillPlace, finished } from "./drill.ts";

const ALL = [
  "account",
  "user",
  "login",
  "search",
  "send",
  ".Sent on disk",
  ".Sent by IMAP",
  "inbox by IMAP",
  "fail-over on",
  "mail waits",
  "fail-over off",
  "mail released",
  "clean-up",
];

/** No report about the drill's mail has been made, for a sender or for the postmaster. */
function assertQuiet({ relay }: DrillPlace): void {
  for (const name of ["message.bounced", "message.listed", "failover.list_sent"] as const)
    assert.deepEqual(relay.log.named(name), [], name);
}

describe("a drill", () => {
  for (const google of ["refuses", "accepts"] as const) {
    test(`works, and leaves nothing behind, if Google ${google} its address`, async () => {
      await using place = await drillPlace({ google, files: { users: "# ours" } });
      const before = await place.files();
      const { code, report, stderr } = await finished(place.begun());
      assert.deepEqual([code, stderr], [0, ""], JSON.stringify(report));
      assert.deepEqual(
        report.steps.map(({ step, result }) => `${step} ${result}`),
        ALL.map((step) => `${step} ok`),
      );
      assert.deepEqual([report.ok, report.account, report.failover], [true, ACCOUNT, "off"]);
      assert.deepEqual(await place.files(), before);
      assert.deepEqual(place.imap.logins, [ACCOUNT]);
      assert.deepEqual(
        place.google.messages.map(({ recipients }) => recipients.join()),
        google === "accepts" ? [ACCOUNT, ACCOUNT] : [],
      );
      assert.equal(await place.relay.relay.spool.count(), 0);
      assert.deepEqual((await place.order("drill", { step: "look" }))["account"], false);
      assertQuiet(place);
    });
  }

  test("holds no mail of users, and passes it on at once all the while", async () => {
    await using place = await drillPlace({
      config: (config) => config.replace('name = "gmail_remote"', "$&\ncutthrough = true"),
    });
    using client = await place.relay.connect();
    const child = place.begun();
    const drilled = finished(child);
    await place.relay.happened("failover.drill_begun");
    while (child.exitCode === null) {
      await send(client, "<carol@example.net>", ["<alice@example.com>"]);
      const { messages } = await place.order("drill", { step: "look" });
      assert.ok(Array.isArray(messages) && messages.length <= 2);
    }
    assert.equal((await drilled).code, 0);
    const accepted = place.relay.log.named("message.accepted");
    const users = accepted.filter(({ user }) => user === undefined).length;
    assert.equal(place.google.messages.length, users);
    assert.equal((await place.relay.copies("mail/example.com/alice")).length, users);
    assert.deepEqual(place.relay.log.named("delivery.deferred"), []);
  });

  test("is no account for strangers", async () => {
    await using place = await drillPlace();
    await place.order("drill", { step: "begin", account: ACCOUNT });
    using client = await place.relay.connect("127.0.0.9");
    for (const from of ["carol@example.net", ACCOUNT, ""]) {
      await client.ask("RSET");
      await client.ask("EHLO client.example.net");
      await client.ask(`MAIL FROM:<${from}>`);
      assert.match(await client.ask(`RCPT TO:<${ACCOUNT}>`), /^550 5\.1\.1/, from);
    }
  });

  test("goes on when a sync rewrites the list of accounts", async () => {
    await using place = await drillPlace({
      imap: {
        before: async () =>
          writeFile(join(place.relay.directory, "gmail_accounts"), "alice\ncarl\n"),
      },
    });
    const { code, report } = await place.drill();
    assert.equal(code, 0, JSON.stringify(report));
    const list = await readFile(join(place.relay.directory, "gmail_accounts"), "utf8");
    assert.equal(list, "alice\ncarl\n");
  });

  test("while fail-over is on, rehearses the rest and leaves it on", async () => {
    await using place = await drillPlace();
    await place.order("on", { why: "gone" });
    const state = await readFile(join(place.relay.directory, "spool/failover.json"), "utf8");
    const before = await place.files();
    const { code, report, step } = await place.drill();
    assert.equal(code, 0, JSON.stringify(report));
    assert.match(step("fail-over on"), /^skipped: fail-over is on, and the drill leaves it on/);
    assert.match(step("mail waits"), /^ok: message \w+ waits/);
    assert.match(step("mail released"), /^skipped: fail-over is on/);
    assert.deepEqual([report.ok, report.failover], [true, "on"]);
    assert.deepEqual(await place.files(), before);
    assert.equal(before.get("spool/failover.json"), state);
    assert.equal(place.google.connections, 0);
    assert.equal(await place.relay.relay.spool.count(), 0);
    assertQuiet(place);
  });

  test("leaves fail-over on that begins meanwhile, and its mail waiting", async () => {
    let begins: Promise<unknown> = Promise.resolve();
    await using place = await drillPlace({
      imap: {
        before(verb) {
          if (verb === "SEARCH") begins = place.order("on");
        },
      },
    });
    const { code, report } = await place.drill();
    await begins;
    assert.deepEqual([code, report.failover], [0, "on"], JSON.stringify(report));
    using client = await place.relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    assert.equal(await place.relay.relay.spool.count(), 1);
  });
});

describe("a drill that finds something wrong exits with 1, and cleans up", () => {
  interface Wrong {
    readonly options: Parameters<typeof drillPlace>[0];
    readonly step: string;
    readonly why: RegExp;
  }
  const cases: Readonly<Record<string, Wrong>> = {
    "Dovecot serves other octets": {
      options: { imap: { serve: (copy) => copy.subarray(1) } },
      step: ".Sent by IMAP",
      why: /^failed: Dovecot serves other octets/,
    },
    "nothing listens for IMAP": {
      options: { config: (config) => config.replace(/imap = ".*"/, 'imap = "127.0.0.1:1"') },
      step: "login",
      why: /^failed: 127\.0\.0\.1:1: .*ECONNREFUSED/,
    },
    "Dovecot reads another users file": {
      options: { imap: { directory: () => "/nowhere" } },
      step: "login",
      why: /^failed: .*Authentication failed/,
    },
    "no listener takes submission": {
      options: {
        config: (config) => config.replace('protocol = "submission"', 'protocol = "smtp"'),
      },
      step: "send",
      why: /^failed: no listener .*submission/,
    },
    "no router copies sent mail": {
      options: {
        config: (config) => config.replace(/\[\[routers\]\]\nname = "gmail_outgoing"[^[]*/, ""),
      },
      step: ".Sent on disk",
      why: /^failed: no router makes a copy of sent mail/,
    },
    "Google refuses our mail": {
      options: { google: "refuses by policy" },
      step: "mail released",
      why: /^failed: the next host does not take .* 5\.7\.1/,
    },
    "Google takes no mail now": {
      options: { google: "is busy" },
      step: "mail released",
      why: /^failed: the next host does not take .* 4\.3\.0/,
    },
  };
  for (const [what, { options, step, why }] of Object.entries(cases)) {
    test(what, async () => {
      await using place = await drillPlace(options);
      const before = await place.files();
      const drilled = await place.drill();
      assert.match(drilled.step(step), why);
      assert.deepEqual([drilled.code, drilled.report.ok], [1, false]);
      assert.match(drilled.step("clean-up"), /^ok/);
      assert.deepEqual(await place.files(), before);
      assert.equal(await place.relay.relay.spool.count(), 0);
      assertQuiet(place);
    });
  }
});

describe("a server that says nothing", () => {
  for (const verb of ["LOGIN", "SEARCH", "LOGOUT"] as const) {
    test(`at ${verb} costs the time of a step`, async () => {
      await using place = await drillPlace({
        imap: {
          before: (said) => (said === verb ? new Promise<void>(() => undefined) : undefined),
        },
      });
      const before = await place.files();
      const { report, step } = await place.drill({ step: 4000, all: 30_000 });
      const steps = { LOGIN: "login", SEARCH: "search", LOGOUT: undefined };
      const late = steps[verb];
      if (late !== undefined) assert.match(step(late), /^failed: nothing happened within 4 s/);
      assert.equal(report.ok, late === undefined, JSON.stringify(report));
      assert.match(step("mail released"), /^ok/);
      assert.deepEqual(await place.files(), before);
    });
  }

  test("costs no more than all steps may take", async () => {
    await using place = await drillPlace({
      imap: { before: () => new Promise<void>(() => undefined) },
    });
    const before = await place.files();
    const { report, step } = await place.drill({ step: 4000, all: 100 });
    assert.equal(report.ok, false);
    assert.match(step("mail released"), /^(?:skipped|failed)/);
    assert.match(step("clean-up"), /^ok/);
    assert.deepEqual(await place.files(), before);
  });
});

describe("a drill refuses and changes nothing", () => {
  const cases: Readonly<
    Record<string, readonly [Parameters<typeof drillPlace>[0], number, RegExp]>
  > = {
    "a user of this name": [
      { files: { users: "Unseen-Drill@Example.com:{PLAIN}geheim::::::" } },
      1,
      /unseen-drill@example\.com is a user in/,
    ],
    "an account of this name": [
      { files: { gmail_accounts: "alice\nUNSEEN-drill\n" } },
      1,
      /is an address of the account unseen-drill@example\.com/,
    ],
    "an alias of this name": [
      { files: { gmail_accounts: "alice\nunseen-drill: alice\n" } },
      1,
      /is an address of the account alice@example\.com/,
    ],
    "a Maildir of this name": [
      { files: { "mail/example.com/unseen-drill/new/1.x": "mail" } },
      1,
      /is an account with mail in .*unseen-drill/,
    ],
    "a router that names it": [
      {
        config: (config) =>
          config.replace(
            'local_parts = "lsearch:gmail_accounts"',
            'local_parts = ["unseen-drill"]',
          ),
      },
      1,
      /is named by the router/,
    ],
    "an alias file that leads it elsewhere": [
      {
        config: (config) =>
          config.replace(
            '[[routers]]\nname = "gmail_outgoing"',
            '[[routers]]\nname = "aliases"\ndriver = "redirect"\nfile = "aliases"\n$&',
          ),
        files: { aliases: "unseen-drill: alice@example.com\n" },
      },
      78,
      /router aliases leads its mail to alice@example\.com|makes no account/,
    ],
    "a copy into a Maildir of others": [
      {
        config: (config) =>
          config
            .replace(
              '[[routers]]\nname = "gmail_outgoing"',
              '[[routers]]\nname = "all"\ndriver = "unseen-copy"\ntransport = "everything"\n$&',
            )
            .replace(
              "[transports.gmail]",
              '[transports.everything]\ndriver = "maildir-append"\ndirectory = "mail/all"\n$&',
            ),
      },
      78,
      /router all copies its mail into .*mail\/all, which is not the account's own/,
    ],
    "mail by a transport that never waits": [
      {
        config: (config) =>
          config.replace('transports = ["gmail"]', 'transports = ["remote_smtp"]'),
      },
      78,
      /its mail goes by "gmail", which \[failover\] transports does not name/,
    ],
    "no [failover]": [
      { config: (config) => config.slice(0, config.indexOf("[failover]")) },
      78,
      /there is no \[failover\]/,
    ],
  };
  for (const [what, [options, exit, why]] of Object.entries(cases)) {
    test(`with ${what}`, async () => {
      await using place = await drillPlace(options);
      const before = await place.files();
      const { message, exitCode } = await place.refused();
      assert.match(message.replaceAll("\n", " "), why);
      assert.equal(exitCode, exit);
      assert.deepEqual(await place.files(), before);
      assert.deepEqual(place.relay.log.named("failover.drill_begun"), []);
    });
  }

  test("without a running relay", async () => {
    await using place = await drillPlace();
    await place.relay.stop();
    const before = await place.files();
    const { message, exitCode } = await place.refused();
    assert.match(message, /no relay runs/);
    assert.equal(exitCode, 69);
    assert.deepEqual(await place.files(), before);
  });
});

/** The verbs of IMAP at which a drill is ended, and so the steps. */
const MOMENTS = ["LOGIN", "SEARCH", "FETCH"] as const;

describe("a drill that is ended", () => {
  const signals = { LOGIN: "SIGINT", SEARCH: "SIGTERM", FETCH: "SIGHUP" } as const;
  for (const moment of MOMENTS) {
    const signal = signals[moment];
    test(`by ${signal} at ${moment} cleans up`, async () => {
      await using place = await drillPlace({
        imap: { before: (verb) => void (verb === moment && child?.kill(signal)) },
        files: { users: "carol@example.com:{PLAIN}x::::::" },
      });
      const before = await place.files();
      const child = place.begun();
      const { code, report } = await finished(child);
      assert.deepEqual([code, report.ok, report.interrupted], [1, false, true]);
      assert.match(JSON.stringify(report), new RegExp(`interrupted by ${signal}`));
      assert.deepEqual(await place.files(), before);
      assert.equal(await place.relay.relay.spool.count(), 0);
      assertQuiet(place);
    });
  }

  for (const moment of MOMENTS) {
    test(`by kill -9 at ${moment} is cleaned up by the next one`, async () => {
      await using place = await drillPlace({
        imap: { before: (verb) => void (verb === moment && child?.kill("SIGKILL")) },
      });
      const before = await place.files();
      let child: ReturnType<DrillPlace["begun"]> | undefined = place.begun();
      await finished(child);
      assert.notDeepEqual(await place.files(), before);
      child = undefined;
      const { code, report, stderr } = await finished(place.begun());
      assert.equal(code, 0, JSON.stringify(report));
      assert.match(stderr, /an earlier drill was killed/);
      assert.deepEqual(await place.files(), before);
      assert.equal(await place.relay.relay.spool.count(), 0);
      assertQuiet(place);
    });
  }

  test("by kill -9 is ended by the relay after its time", async () => {
    const clock = manualClock(Date.now());
    await using place = await drillPlace({ clock });
    const before = await place.files();
    await place.order("drill", { step: "begin", account: ACCOUNT });
    await leave(place);
    clock.advance(100_000);
    await place.relay.happened("failover.drill_removed");
    assert.deepEqual(await place.files(), before);
    assert.equal((await place.order("drill", { step: "look" }))["account"], false);
  });

  test("with its relay, by kill -9 of both, is cleaned up at the next start", async () => {
    const directory = await mkdtemp(join(tmpdir(), "unseen-drill-"));
    {
      await using place = await drillPlace({
        directory,
        google: "is busy",
        imap: { before: (verb) => void (verb === "FETCH" && child.kill("SIGKILL")) },
      });
      const child = place.begun();
      await finished(child);
      assert.equal(await place.relay.relay.spool.count(), 1);
      assert.notEqual((await place.files()).get("spool/failover-drill.json"), undefined);
    }
    await using place = await drillPlace({ directory });
    await place.relay.happened("failover.drill_removed");
    assert.equal(await place.relay.relay.spool.count(), 0);
    const names = [...(await place.files()).keys()];
    assert.deepEqual(names, ["gmail_accounts", "routers.toml"]);
    assertQuiet(place);
    await rm(directory, { recursive: true });
  });

  test("and is still at work keeps a second one away", async () => {
    let second: Promise<CommandError> | undefined;
    await using place = await drillPlace({
      imap: {
        async before(verb) {
          if (verb === "SEARCH") await (second ??= place.refused());
        },
      },
    });
    const first = await finished(place.begun());
    assert.equal(first.code, 0, JSON.stringify(first.report));
    assert.equal((await second)?.exitCode, 1);
    assert.match((await second)?.message ?? "", /another drill is under way, as process \d+/);
  });
});

/** What a drill leaves that is killed after it has made its user. */
async function leave({ relay }: DrillPlace): Promise<void> {
  const { directory } = relay;
  const password = await passwordFieldOf("x");
  const maildir = join(directory, "mail/example.com/unseen-drill");
  const above = [join(directory, "mail/example.com"), join(directory, "mail")];
  const record = {
    address: ACCOUNT,
    pid: 4_000_000,
    users: join(directory, "users"),
    password,
    added: "file",
    directories: [{ path: maildir, above }],
  };
  await writeFile(join(directory, "spool/failover-drill.json"), JSON.stringify(record));
  await writeFile(join(directory, "users"), `${ACCOUNT}:${password}::::::\n`);
  await mkdir(join(maildir, "new"), { recursive: true });
}
