// The checks of what is on this machine: certificates, accounts, disk, queue, lists.

import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { CheckName } from "../../../src/parts/doctor/finding.ts";
import { syncProblem } from "../../../src/parts/doctor/accounts.ts";
import { queueFindings } from "../../../src/parts/doctor/queue.ts";
import { status } from "../../../src/mail/status.ts";
import type { StoredMessage } from "../../../src/spool/spool.ts";
import { Authority } from "../../support/authority.ts";
import { storedMessage, storedRecipient } from "../../support/build.ts";
import { World, ZONE } from "./world.ts";

const HOUR = 3_600_000;

suite("the doctor, on a machine where", () => {
  let world: World;
  before(async () => {
    world = await World.open();
  });
  after(() => world[Symbol.asyncDispose]());

  /** Compares "result found" of everything that is not ok, with the directory left out. */
  async function assertFound(check: CheckName, ...expected: readonly RegExp[]): Promise<void> {
    const findings = (await world.examine([check])).filter(({ result }) => result !== "ok");
    const found = findings.map((one) =>
      `${one.result} ${one.found}`.replaceAll(`${world.relay.directory}/`, ""),
    );
    assert.equal(found.length, expected.length, found.join("\n"));
    for (const [index, wanted] of expected.entries()) assert.match(found[index] ?? "", wanted);
    for (const { result, advice } of findings) assert.ok(result === "skipped" || advice !== "");
  }

  const certificates: Readonly<Record<string, readonly [names: string, days: number, RegExp?]>> = {
    "lasts for 22 days": ["mx.example.com", 22],
    "lasts for 20 days": [
      "mx.example.com",
      20,
      /^warn certificate\.pem: it ends in (?:19|20) days, on/,
    ],
    "lasts for 2 days": [
      "mx.example.com",
      2,
      /^fail certificate\.pem: it ends in (?:1 day|2 days)/,
    ],
    "has expired": ["mx.example.com", -1, /^fail certificate\.pem: it has expired on/],
    "is for another host": [
      "mail.example.com",
      90,
      /^fail certificate\.pem: it is for DNS:mail\.example\.com, and not for mx/,
    ],
    "is for all hosts of the domain": ["*.example.com", 90],
  };
  for (const [what, [name, days, found]] of Object.entries(certificates)) {
    test(`the certificate ${what}`, async () => {
      const { chain, key } = world.authority.issue({ names: [name], days });
      const restore = [
        await world.write("certificate.pem", chain),
        await world.write("key.pem", key),
      ];
      await assertFound("tls", ...(found === undefined ? [] : [found]));
      await assertFound("dns");
      for (const back of restore) await back();
    });
  }

  test("the certificate is of an authority of its own", async () => {
    using other = new Authority();
    const { chain, key } = other.issue({ names: ["mx.example.com"], days: 90 });
    const restore = [
      await world.write("certificate.pem", chain),
      await world.write("key.pem", key),
    ];
    await assertFound("tls", /^warn .* chain does not lead to a public authority$/);
    await assertFound(
      "dns",
      /^fail MTA-STS of example\.com: .*\(enforce\): it is not from a public authority$/,
    );
    for (const back of restore) await back();
  });

  test("the certificate lacks the one of its issuer", async () => {
    const issuer = world.authority.issue({ names: [], authority: true });
    const { chain, key } = world.authority.issue({ names: ["mx.example.com"], days: 90 }, issuer);
    const restore = [
      await world.write("certificate.pem", chain),
      await world.write("key.pem", key),
    ];
    await assertFound("tls");
    const [own = ""] = chain.split(/(?<=-----END CERTIFICATE-----\n)/);
    await writeFile(join(world.relay.directory, "certificate.pem"), own);
    await assertFound("tls", /^warn .* chain does not lead to a public authority$/);
    for (const back of restore) await back();
  });

  test("the file of accounts is empty, or is gone", async () => {
    const restore = await world.write("gmail_accounts", "# nobody\n");
    await assertFound(
      "accounts",
      /^fail gmail_accounts: the relay does not believe it: it has no entry left/,
    );
    await restore();
    await assertFound("accounts");
    const text = world.text;
    await world.write("routers.toml", text.replaceAll("lsearch:gmail_accounts", "lsearch:gone"));
    await assertFound("accounts", /^fail gone: mail is put off until this can be read: ENOENT/);
    await world.write("routers.toml", text.replaceAll('"lsearch:gmail_accounts"', '"alice"'));
    await assertFound("accounts", /^skipped no copying router names its accounts/);
    await world.write("routers.toml", text);
  });

  test("the disk is too small", async () => {
    const text = world.text;
    await world.write(
      "routers.toml",
      text.replace("[relay]", '[relay]\nspool_reserve = "9000000G"'),
    );
    await assertFound(
      "disk",
      /^fail the spool \(spool\): .* are free, less than the .*G that must be$/,
    );
    await world.write(
      "routers.toml",
      text.replace("[relay]", "[relay]\nspool_reserve_inodes = 999999999999"),
    );
    await assertFound("disk", /^fail the spool \(spool\): \d+ inodes are free, fewer than/);
    await world.write("routers.toml", text);
  });

  test("everybody may write into the spool", async () => {
    await chmod(join(world.relay.directory, "spool"), 0o777);
    await assertFound("disk", /^warn the spool \(spool\): its mode is 0777, so every user/);
    await chmod(join(world.relay.directory, "spool"), 0o700);
    await assertFound("disk");
  });

  test("everybody may look into Maildirs, or use the key, if the way there is open", async () => {
    const maildir = join(world.relay.directory, "mail/example.com/alice");
    await mkdir(maildir, { recursive: true, mode: 0o755 });
    await chmod(join(world.relay.directory, "key.pem"), 0o644);
    await assertFound("disk");
    for (const path of ["mail", "."]) await chmod(join(world.relay.directory, path), 0o755);
    await assertFound(
      "disk",
      /^warn the Maildirs \(mail\): every user of this machine may look into mail\/example\.com\/alice$/,
      /^warn key\.pem: every user of this machine may use this key$/,
    );
    for (const path of ["mail", "."]) await chmod(join(world.relay.directory, path), 0o700);
    await chmod(join(world.relay.directory, "key.pem"), 0o600);
  });

  test("a file is in the place of the Maildirs", async () => {
    const text = world.text;
    await world.write("routers.toml", text.replaceAll('"mail/{', '"gmail_accounts/{'));
    await assertFound("disk", /^fail the Maildirs \(gmail_accounts\): it is not a directory$/);
    await world.write("routers.toml", text);
  });

  test("a transport says another name in EHLO", async () => {
    const text = world.text;
    await world.write(
      "routers.toml",
      text.replace(
        "[transports.remote_smtp]\n",
        '[transports.remote_smtp]\nhelo = "out.example.com"\n',
      ),
    );
    await assertFound("dns", /^warn SPF of out\.example\.com: there is no record/);
    world.zone({ "out.example.com": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] } });
    await assertFound("dns");
    world.zone({});
    await world.write("routers.toml", text);
  });

  test("mail leaves from an address of its own", async () => {
    const text = world.text;
    await world.write(
      "routers.toml",
      text.replace(
        "[transports.remote_smtp]\n",
        '[transports.remote_smtp]\ninterface = ["127.0.0.5"]\n',
      ),
    );
    await assertFound(
      "dns",
      /^fail PTR of 127\.0\.0\.5: there is none$/,
      /^fail SPF of example\.com: it does not pass 127\.0\.0\.5/,
      /^fail SPF of mx\.example\.com: it does not pass 127\.0\.0\.5/,
    );
    await world.write("routers.toml", text);
  });

  test("the user does not exist", async () => {
    const text = world.text;
    await world.write("routers.toml", text.replace("[relay]", '[relay]\nuser = "no-such-user"'));
    await assertFound("disk", /^fail \[relay\] user: this machine has no user "no-such-user"$/);
    await world.write("routers.toml", text);
  });

  test("a list has never had an answer", async () => {
    const text = world.text;
    await world.write(
      "routers.toml",
      text.replace("trusted =", 'others = ["spf:gone.test"]\ntrusted ='),
    );
    await assertFound(
      "lists",
      /^fail spf:gone\.test: gone\.test has no SPF record, and there is no earlier answer/,
    );
    await world.write("routers.toml", text);
  });

  test("the relay has not refreshed a list for days", async () => {
    const file = "spool/spf._spf.google.com.json";
    const entries = ["198.51.100.0/24", "2001:db8:1::/48"];
    const kept = { domain: "_spf.google.com", entries, ignored: [] };
    const restore = await world.write(
      file,
      JSON.stringify({ ...kept, fetchedAt: Date.now() - 48 * HOUR }),
    );
    await assertFound(
      "lists",
      /^warn spf:_spf\.google\.com: the relay has not refreshed it for 2d/,
    );
    await world.write(file, JSON.stringify({ ...kept, fetchedAt: Date.now() - 192 * HOUR }));
    world.relay.dns.set({ ...ZONE, fail: { "TXT _spf.google.com": "SERVFAIL" } });
    await assertFound(
      "lists",
      /^fail spf:_spf\.google\.com: .*SERVFAIL.*; the answer of 8d ago holds/,
    );
    world.relay.dns.set(ZONE);
    await restore();
  });

  test("the clock is wrong", async () => {
    const answer = world.policyHost.answer;
    for (const [ahead, result] of [
      [60_000, "warn"],
      [-600_000, "fail"],
    ] as const) {
      world.policyHost.answer = (response) => {
        response.setHeader("date", new Date(Date.now() - ahead).toUTCString());
        response.end();
      };
      await assertFound("clock", new RegExp(`^${result} the clock of this machine is wrong: www`));
    }
    world.policyHost.answer = answer;
  });

  test("the hosts do not agree on the time, or do not answer", async () => {
    const answer = world.policyHost.answer;
    let count = 0;
    world.policyHost.answer = (response) => {
      response.setHeader("date", new Date(Date.now() - 90_000 * (count++ % 2)).toUTCString());
      response.end();
    };
    await assertFound("clock", /^skipped the two hosts do not agree/);
    world.policyHost.answer = answer;
    world.zone({ "www.google.com": undefined });
    await assertFound(
      "clock",
      /^skipped the time of two hosts .* is not known: www\.google\.com: it has no/,
    );
    world.zone({});
  });
});

function problems(answer: unknown): string[] {
  return syncProblem(answer).map(({ result, found }) => `${result} ${found}`);
}

test("a sync that was refused is a failure, and one that failed is a warning", () => {
  const refused = { kind: "refused", why: "example.com would lose 40 of 60 addresses" };
  assert.deepEqual(problems({ isOn: true, problem: refused }), [
    "fail [accounts]: example.com would lose 40 of 60 addresses",
  ]);
  assert.deepEqual(problems({ isOn: true, problem: { kind: "failed", why: "no answer" } }), [
    "warn [accounts]: no answer",
  ]);
  for (const answer of [{ isOn: true }, {}, null, { error: "unknown" }, { problem: {} }]) {
    assert.deepEqual(problems(answer), []);
  }
});

suite("the queue", () => {
  const NOW = Date.parse("2026-11-25T10:00:00Z");
  const NONE = { messages: 0, bytes: 0 };

  /** A view of this oldest message, beside frozen ones and a domain on hold. */
  async function found(oldest: StoredMessage | undefined, frozen = 0, held = 0): Promise<string[]> {
    const queued = oldest === undefined ? NONE : { messages: 1, bytes: 1 };
    const view = {
      count: async () => ({ active: NONE, queued, frozen: { messages: frozen, bytes: 0 } }),
      async *messages({ state }: { readonly state?: string }) {
        if (state === "queued" && oldest !== undefined) yield [oldest];
      },
      holds: async () =>
        held === 0 ? [] : [{ domain: "example.org", since: NOW - 2 * HOUR, messages: held }],
    };
    const findings = await queueFindings(view, NOW, 24 * HOUR);
    return findings.map((finding) => `${finding.result} ${finding.found}`);
  }

  const waiting = (age: number): StoredMessage => {
    const message = storedMessage();
    const lastStatus = { ...status(451, "4.1", "connection refused") };
    return {
      ...message,
      envelope: { ...message.envelope, receivedAt: NOW - age },
      recipients: [storedRecipient({ lastStatus })],
    };
  };

  test("may be empty", async () => {
    assert.deepEqual(await found(undefined), ["ok the queue is empty"]);
  });

  test("may have a message that waits for less than a day", async () => {
    assert.match((await found(waiting(23 * HOUR))).join("\n"), /^ok .*1 message, .* is 23h old$/);
  });

  test("has waited for a day", async () => {
    assert.match(
      (await found(waiting(25 * HOUR))).join("\n"),
      /^warn .* is 1d old: 451 4\.4\.1 connection refused$/,
    );
  });

  test("has frozen messages and domains on hold", async () => {
    assert.deepEqual(await found(undefined, 2, 1), [
      "ok no message waits for its next attempt",
      "warn 2 messages are frozen and wait for you",
      "warn example.org is on hold for 2h; 1 message waits",
    ]);
  });
});
