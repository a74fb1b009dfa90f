// relayctl check, by its exit codes and by what it says.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { LETTER, rsaKey, signed } from "../receive/authentication/signing.ts";
import { workspaceConfig } from "../support/build.ts";
import { startDns } from "../support/dns.ts";
import { assertGolden, Place, relayctl } from "../support/program.ts";
import { startTestRelay } from "../support/relay.ts";

const HEAD = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
`;

const CONFIG = `${HEAD}${workspaceConfig(2525).replace(
  "[[routers]]",
  `[[gate.relay]]
hosts = ["198.51.100.0/24"]
sender_domains = "+ours"
require_tls = true
proof = { header = "X-Tenant: a-secret-of-the-tests" }
null_sender = "proof"
[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
[[routers]]`,
)}`;

function place(config = CONFIG): Place {
  const made = new Place();
  made.write("routers.toml", config);
  made.write("gmail_accounts", "alice\nbob: robert\npostmaster\n");
  made.write("aliases", "team: alice, dave@example.org\ntrash: :blackhole:\n");
  return made;
}

suite("relayctl check, the configuration", () => {
  test("a right configuration is ok", async () => {
    using here = place();
    const { code, stdout, stderr } = await here.relayctl("--config", "routers.toml", "check");
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: "routers.toml: ok\n", stderr: "" },
    );
  });

  test("the DNS record of each key that signs is printed, to be published", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const entry = '{ domain = "example.com", selector = "relay", key_file = "dkim.pem" }';
    using here = place(CONFIG.replace("[[listeners]]", `dkim = [${entry}]\n[[listeners]]`));
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(here.directory, "dkim.pem"), pem, { mode: 0o600 });
    const p = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
    const value = `v=DKIM1; k=ed25519; p=${p}`;
    const name = "relay._domainkey.example.com";
    const { code, stdout, stderr } = await here.relayctl("check", "--config", "routers.toml");
    const record = `DNS record of relay.dkim[0]: ${name}. TXT "${value}"\n`;
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: `routers.toml: ok\n${record}`, stderr: "" },
    );
    const json = await here.relayctl("check", "--json", "--config", "routers.toml");
    assert.deepEqual(JSON.parse(json.stdout), {
      problems: [],
      warnings: [],
      dkim_records: [{ name, value }],
    });
  });

  test("every problem is listed at once, with file and line", async () => {
    using here = place(
      CONFIG.replace("hostname", "hostnam").replace('driver = "accept"', 'driver = "acept"'),
    );
    const { code, stdout, stderr } = await here.relayctl("check", "--config", "routers.toml");
    assert.equal(code, 78);
    assert.equal(stdout, "");
    assert.deepEqual(
      stderr
        .trim()
        .split("\n")
        .map((line) => line.replace(/: (?:is missing|unknown|there is).*/, "")),
      [
        "routers.toml:1: relay.hostname",
        "routers.toml:2: relay.hostnam",
        "routers.toml:43: routers[3].driver",
      ],
    );
  });

  test("the problems are objects with --json", async () => {
    using here = place(CONFIG.replace("hostname", "hostnam"));
    const { code, stdout } = await here.relayctl("check", "--config", "routers.toml", "--json");
    assert.equal(code, 78);
    const { problems } = JSON.parse(stdout);
    assert.deepEqual(Object.keys(problems[0]), ["file", "line", "path", "message"]);
    assert.equal(problems.length, 2);
  });

  test("what is right and hardly meant is a warning", async () => {
    using here = place(
      CONFIG.replace("a-secret-of-the-tests", "put-a-long-secret-here")
        .replace(
          '"lsearch:gmail_accounts"',
          '["lsearch:gmail_accounts", "lsearch:nobody", "lsearch:nowhere"]',
        )
        .replace("hostname = ", 'user = "no-such-user"\nhostname = ')
        .replace(
          "[[gate.relay]]",
          '[[gate.relay]]\nhosts = "spf:example.net"\nsender_domains = "+ours"\n[[gate.relay]]',
        ),
    );
    here.write("nobody", "# alice\n");
    here.write(
      "gmail_accounts",
      "alice\nsales # a group\nbob.smith: bob@example.com\nteam: alice, bob\ncarol@example.com\n",
    );
    const { code, stdout, stderr } = await here.relayctl("check", "--config", "routers.toml");
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "routers.toml: ok\n" });
    assert.deepEqual(here.anonymous(stderr).trim().split("\n"), [
      'warning: routers.toml: relay.user: there is no user "no-such-user" on this machine',
      "warning: routers.toml: gate.relay[0]: has no proof, so whoever else sends through these hosts may relay as you",
      "warning: routers.toml: gate.relay[2].proof.header: the secret is that of the example",
      'warning: DIR/gmail_accounts: "sales": has a comment behind it, which needs a line of its own',
      'warning: DIR/gmail_accounts: "bob.smith": has its copies under the name of "bob@example.com", which is no local part',
      'warning: DIR/gmail_accounts: "team": has its copies under the name of "alice, bob", which is no local part',
      "warning: DIR/gmail_accounts: and more of that kind",
      "warning: DIR/nobody: is empty: nobody is in it",
      "warning: DIR/nowhere: mail is put off until this can be read: ENOENT: no such file or directory",
      "warning: routers.toml: relay.postmaster: postmaster@example.com gets 550 5.1.1 No such user here; the daily list would not arrive",
    ]);
    const json = await here.relayctl("check", "--config", "routers.toml", "--json");
    assert.equal(JSON.parse(json.stdout).warnings.length, 10);
  });

  test("a secret that can be guessed is a warning", async () => {
    for (const [secret, warned] of [
      ["fifteen-letters", true],
      ["sixteen--letters", false],
      ["x", true],
    ] as const) {
      using here = place(CONFIG.replace("a-secret-of-the-tests", secret));
      const { stderr } = await here.relayctl("check", "--config", "routers.toml");
      assert.equal(stderr.includes("fewer than 16 characters"), warned, secret);
    }
  });

  test("the file is named by $UNSEEN_CONFIG when --config is not given", async () => {
    using here = place();
    const env = { UNSEEN_CONFIG: "routers.toml" };
    const { code, stdout } = await relayctl(["check"], { cwd: here.directory, env });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "routers.toml: ok\n" });
  });

  test("a missing file is exit 66, in one line", async () => {
    using here = place();
    const { code, stderr } = await here.relayctl("check", "--config", "nowhere.toml");
    assert.equal(code, 66);
    assert.equal(stderr, "cannot read nowhere.toml: there is no such file\n");
  });
});

const WRONG_USAGE: Readonly<Record<string, readonly string[]>> = {
  "a client that is no address": ["check", "alice@example.com", "--client", "192.0.2.300"],
  "a sender that is no address": ["check", "alice@example.com", "--from", "alice@@example.com"],
  "a HELO that is no name": ["check", "alice@example.com", "--helo", "two words"],
  "an unknown option": ["check", "--colour"],
  "an unknown command": ["chekc"],
  "no command": [],
  "an unknown queue command": ["queue", "burn"],
  "retry without a selection": ["queue", "retry"],
  "retry with two selections": ["queue", "retry", "--all", "--domain", "example.com"],
  "remove with ids and a filter": ["queue", "remove", "0000000001", "--sender", ""],
  "bounce without a selection": ["queue", "bounce"],
  "an age that is none": ["queue", "list", "--older-than", "soon"],
  "a filter that is no address": ["queue", "count", "--sender", "a b@example.com"],
  "two filters of recipients": ["queue", "list", "--recipient", "a.test", "--domain", "b.test"],
};

suite("relayctl, wrong usage", () => {
  for (const [what, args] of Object.entries(WRONG_USAGE)) {
    test(`${what} is exit 64`, async () => {
      using here = place();
      const { code, stdout, stderr } = await here.relayctl(...args, "--config", "routers.toml");
      assert.equal(code, 64, stderr);
      assert.equal(stdout, "");
      assert.notEqual(stderr, "");
    });
  }
});

interface DryRun {
  readonly args: readonly string[];
  readonly exit: number;
  readonly accounts?: string;
}

const TRUSTED = ["--client", "127.0.0.1"];
const TENANT = ["--client", "198.51.100.7", "--from", "alice@example.com", "--tls"];

const DRY_RUNS: Readonly<Record<string, DryRun>> = {
  "known-user": { args: ["alice@example.com"], exit: 0 },
  "unknown-user": { args: ["nobody@example.com"], exit: 2 },
  stranger: { args: ["dave@example.org", "--from", "alice@example.com"], exit: 2 },
  outgoing: { args: ["dave@example.org", "--from", "alice@example.com", ...TRUSTED], exit: 0 },
  "without-tls": { args: ["dave@example.org", ...TENANT.slice(0, -1)], exit: 2 },
  "needs-proof": { args: ["dave@example.org", ...TENANT], exit: 0 },
  "null-sender": { args: ["alice@example.com", "--from", "<>"], exit: 0 },
  several: {
    args: ["alice@example.com", "Bob+news@Example.com", "alice+x@example.com", "x@@y"],
    exit: 2,
  },
  alias: { args: ["team@example.com", "trash@example.com"], exit: 0 },
  "unreadable-accounts": { args: ["alice@example.com"], exit: 1, accounts: "\xff\n" },
  "unsafe-account": { args: ["alice@example.com"], exit: 1, accounts: "alice: ../root\n" },
};

suite("relayctl check, the dry run", () => {
  for (const [name, { args, exit, accounts }] of Object.entries(DRY_RUNS)) {
    test(`the dry run "${name}" is what its golden file says`, async () => {
      using here = place();
      if (accounts !== undefined) here.write("gmail_accounts", Buffer.from(accounts, "latin1"));
      const { code, stdout } = await here.relayctl("--config", "routers.toml", "check", ...args);
      assertGolden(`check-${name}.txt`, here.anonymous(stdout));
      assert.equal(code, exit, stdout);
      assert.ok(
        stdout.split("\n").every((line) => line.length <= 80 || line.includes(here.directory)),
        stdout,
      );
    });
  }

  test("mail that neither its router nor its transport has a host for would wait", async () => {
    using here = place(CONFIG.replace(/^hosts = .*:2525.*$/m, ""));
    const { code, stdout } = await here.relayctl(
      "check",
      "bob@example.com",
      "--config",
      "routers.toml",
    );
    assert.match(stdout, /^bob@example\.com: deferred$/m);
    assert.match(stdout, /neither the router nor the transport has a host/);
    assert.equal(code, 1);
  });

  test("--json has the shape that is promised", async () => {
    using here = place();
    const args = ["check", "bob@example.com", "--config", "routers.toml", "--json"];
    const { code, stdout } = await here.relayctl(...args);
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split("\n").length, 1);
    const gate = { verdict: "accept", reply: "250 2.1.5 Recipient ok", rule: "local_domains" };
    const { recipients, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, { gate });
    const [{ trace, ...recipient }, ...others] = recipients;
    assert.deepEqual(others, []);
    assert.deepEqual(recipient, {
      address: "bob@example.com",
      gate,
      outcome: "routed",
      reply: "250 2.1.5 Recipient ok",
      deliveries: [
        {
          router: "gmail_users",
          transport: "gmail_local_delivery",
          unseen: true,
          path: `${here.directory}/mail/example.com/robert`,
        },
        {
          router: "gmail_remote",
          transport: "gmail",
          unseen: false,
          hosts: ["127.0.0.1:2525"],
          tls: [{ host: "127.0.0.1", rule: "opportunistic", why: "opportunistic: no policy" }],
        },
      ],
    });
    assert.deepEqual(
      trace.map(({ router, result }: Record<string, unknown>) => [router, result]),
      [
        ["aliases", "decline"],
        ["gmail_outgoing", "skipped"],
        ["gmail_users", "accept"],
        ["gmail_remote", "accept"],
      ],
    );
    assert.match(trace[2].why, /local_parts: "bob" is in lsearch:gmail_accounts as "robert"/);
  });

  test("the gate on top refuses only if all recipients are refused", async () => {
    using here = place();
    const gateOf = async (...args: string[]) => {
      const { stdout } = await here.relayctl(
        "check",
        ...args,
        "--config",
        "routers.toml",
        "--json",
      );
      return JSON.parse(stdout).gate.verdict;
    };
    assert.equal(await gateOf("dave@example.org", "alice@example.com"), "accept");
    assert.equal(await gateOf("dave@example.org", "erin@example.net"), "refuse");
  });

  test("nothing on disk is touched", async () => {
    using here = place();
    const before = readdirSync(here.directory, { recursive: true });
    await here.relayctl("check", "alice@example.com", "--config", "routers.toml");
    assert.deepEqual(readdirSync(here.directory, { recursive: true }), before);
  });
});

const MESSAGES: Readonly<Record<string, { text: string; reply: RegExp; exit: number }>> = {
  "with the proof passes": {
    text: "X-Tenant: a-secret-of-the-tests\nSubject: x\n\nhi\n",
    reply: /^250 /,
    exit: 0,
  },
  "without the proof is refused": { text: "Subject: x\n\nhi\n", reply: /^550 5\.7\.1 /, exit: 2 },
  "with the proof in its body is refused": {
    text: "Subject: x\n\nX-Tenant: a-secret-of-the-tests\n",
    reply: /^550 5\.7\.1 /,
    exit: 2,
  },
  "with the proof below a line that is no field is refused": {
    text: " folded\nX-Tenant: a-secret-of-the-tests\nSubject: x\n\nhi\n",
    reply: /^550 5\.7\.1 /,
    exit: 2,
  },
  "with the proof below a field with a long name passes": {
    text: `${"x".repeat(3000)}: y\nX-Tenant: a-secret-of-the-tests\n\nhi\n`,
    reply: /^250 /,
    exit: 0,
  },
  "with too many hops is refused": {
    text: `X-Tenant: a-secret-of-the-tests\n${"Received: from a by b; now\n".repeat(101)}\nhi\n`,
    reply: /^550 5\.4\.6 /,
    exit: 2,
  },
  "with a line that is too long is refused": {
    text: `X-Tenant: a-secret-of-the-tests\n\n${"x".repeat(70_000)}\n`,
    reply: /^550 5\.6\.0 /,
    exit: 2,
  },
  "with wire line ends and a bare LF is refused": {
    text: "X-Tenant: a-secret-of-the-tests\r\n\r\none\ntwo\r\n",
    reply: /^550 5\.6\.0 /,
    exit: 2,
  },
};

suite("relayctl check --message", () => {
  for (const [what, { text, reply, exit }] of Object.entries(MESSAGES)) {
    test(`a message ${what}`, async () => {
      using here = place();
      here.write("message.eml", text);
      const args = ["check", "dave@example.org", ...TENANT, "--message", "message.eml", "--json"];
      const { code, stdout } = await here.relayctl(...args, "--config", "routers.toml");
      const { message, recipients } = JSON.parse(stdout);
      assert.match(message.reply, reply);
      assert.equal(code, exit);
      assert.equal(recipients[0].outcome, exit === 0 ? "routed" : "failed");
      if (exit !== 0) assert.match(recipients[0].reply, reply);
    });
  }

  test("a message is judged by its signature and its author as in a session", async () => {
    const key = rsaKey();
    await using dns = await startDns({
      "sel._domainkey.example.com": { TXT: [key.record] },
      "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject"] },
      fail: { "silent._domainkey.example.com": "SERVFAIL" },
    });
    const config = CONFIG.replace(
      '{ header = "X-Tenant: a-secret-of-the-tests" }',
      '{ dkim = "+ours" }',
    )
      .replace("[[gate.relay]]", '[gate.authentication]\npolicy = "enforce"\n[[gate.relay]]')
      .concat(`[dns]\nservers = ["${dns.address}"]\n`);
    using here = place(config);
    const how = { key, domain: "example.com" };
    here.write("signed.eml", signed(LETTER, how));
    here.write("changed.eml", signed(LETTER, how).replace("Hello", "Hallo"));
    here.write("silent.eml", signed(LETTER, { ...how, selector: "silent" }));
    here.write("unsigned.eml", LETTER);
    here.write("below.eml", ` folded\r\n${signed(LETTER, how)}`);
    const toWorld = ["dave@example.org", ...TENANT];
    for (const [file, args, reply, exit] of [
      ["signed.eml", toWorld, /^250 /, 0],
      ["changed.eml", toWorld, /^550 5\.7\.1 .*body hash did not verify/, 2],
      ["below.eml", toWorld, /^550 5\.7\.1 /, 2],
      ["silent.eml", toWorld, /^451 4\.7\.0 /, 1],
      ["signed.eml", ["alice@example.com"], /^250 /, 0],
      ["unsigned.eml", ["alice@example.com"], /^550 5\.7\.26 .*example\.com/, 2],
    ] as const) {
      const options = ["--message", file, "--json", "--config", "routers.toml"];
      const { code, stdout } = await here.relayctl("check", ...args, ...options);
      assert.match(JSON.parse(stdout).message.reply, reply, file);
      assert.equal(code, exit, file);
    }
  });

  test("a missing message is exit 66", async () => {
    using here = place();
    const args = [
      "check",
      "alice@example.com",
      "--message",
      "none.eml",
      "--config",
      "routers.toml",
    ];
    const { code, stderr } = await here.relayctl(...args);
    assert.deepEqual(
      { code, stderr },
      { code: 66, stderr: "cannot read none.eml: there is no such file\n" },
    );
  });
});

test("the dry run and the session give the same replies", async () => {
  await using relay = await startTestRelay({
    config: workspaceConfig(2525),
    files: { gmail_accounts: "alice\nbob: robert\n" },
  });
  const recipients = [
    "alice@example.com",
    "ALICE+x@Example.COM",
    "nobody@example.com",
    "dave@example.org",
    '"alice"@example.com',
    "dave%example.org@example.com",
    "x@@y",
    "postmaster",
  ];
  for (const client of ["127.0.0.1", "127.0.0.9"]) {
    using wire = await relay.connect(client);
    await wire.ask("EHLO client.example.net");
    await wire.ask("MAIL FROM:<alice@example.com>");
    const said: string[] = [];
    for (const recipient of recipients) said.push(await wire.ask(`RCPT TO:<${recipient}>`));

    const args = ["check", ...recipients, "--from", "alice@example.com", "--client", client];
    const { stdout } = await relayctl([...args, "--json", "--config", relay.configuration.file]);
    const foretold = JSON.parse(stdout).recipients.map(({ reply }: { reply: string }) => reply);
    assert.deepEqual(foretold, said);
  }
});
