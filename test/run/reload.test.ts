// A new configuration under a running relay: what goes on as it began, what follows it, and what refuses it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";

interface Wanted {
  readonly ours?: string;
  readonly port?: number;
  readonly ports?: readonly number[];
  readonly more?: string;
  readonly transport?: string;
}

const DISCARD = `driver = "discard"`;

function config({ ours = "example.com", ports = [0], more = "", transport = DISCARD }: Wanted) {
  const listeners = ports.map((port) => `[[listeners]]\naddress = "127.0.0.1:${port}"\n`);
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
${more}
${listeners.join("")}
[dns]
servers = ["127.0.0.1:9"]
[domains]
ours = ["${ours}"]
[gate]
local_domains = "+ours"
[[routers]]
name = "all"
driver = "accept"
domains = "+ours"
transport = "there"
[transports.there]
${transport}
[[retry]]
match = "*"
rules = "F,1h,1s"
`;
}

function rewrite({ directory }: TestRelay, text: string): Promise<void> {
  return writeFile(join(directory, "routers.toml"), text);
}

async function greeted(wire: Wire): Promise<Wire> {
  await wire.ask("EHLO client.example.net");
  return wire;
}

test("a transaction ends as it began, the next one follows the new configuration", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  using wire = await greeted(await relay.connect());
  await wire.ask("MAIL FROM:<carol@example.net>");
  await rewrite(relay, config({ ours: "example.org" }));
  assert.ok("listeners" in (await relay.relay.reload()));
  assert.match(await wire.ask("RCPT TO:<alice@example.com>"), /^250 /);
  await wire.ask("DATA");
  assert.match(await wire.ask("Subject: x\r\n\r\nx\r\n."), /^250 /);
  await wire.ask("MAIL FROM:<carol@example.net>");
  assert.match(await wire.ask("RCPT TO:<alice@example.com>"), /^550 /);
  assert.match(await wire.ask("RCPT TO:<alice@example.org>"), /^250 /);
});

test("the port stays bound, and those who come are told by the new limits", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  await rewrite(relay, config({ more: `message_size_limit = "1M"` }));
  const reloaded = await relay.relay.reload();
  assert.deepEqual(reloaded, { listeners: [`127.0.0.1:${relay.port}`], kept: [] });
  using wire = await relay.connect();
  assert.match(await wire.ask("EHLO client.example.net"), /SIZE 1048576/);
});

test("mail that waits goes by the new routers and transports", async () => {
  await using sink = await startSink();
  const dead = `driver = "smtp"\nhosts = ["127.0.0.1:1"]\ntls = "none"`;
  await using relay = await startTestRelay({ config: config({ transport: dead }) });
  using wire = await greeted(await relay.connect());
  await wire.ask("MAIL FROM:<carol@example.net>");
  await wire.ask("RCPT TO:<alice@example.com>");
  await wire.ask("DATA");
  await wire.ask("Subject: x\r\n\r\nx\r\n.");
  await relay.happened("delivery.deferred");
  await rewrite(relay, config({ transport: dead.replace(":1", `:${sink.port}`) }));
  await relay.relay.reload();
  assert.equal((await sink.waitFor(1)).length, 1);
  await relay.happened("message.completed");
});

test("a wrong configuration changes nothing, and every problem is said", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  await rewrite(relay, `${config({ ours: "example.org" })}[nonsense]\n[more]\n`);
  const refused = await relay.relay.reload();
  assert.ok("problems" in refused);
  assert.equal(refused.problems.length, 2);
  assert.match(refused.problems[0] ?? "", /routers\.toml:\d+: nonsense: /);
  assert.deepEqual(await relay.happened("relay.reload_refused"), [refused]);
  using wire = await greeted(await relay.connect());
  await wire.ask("MAIL FROM:<carol@example.net>");
  assert.match(await wire.ask("RCPT TO:<alice@example.com>"), /^250 /);
});

test("a port that cannot be bound changes nothing, not even the ports that could", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  assert.ok(typeof address === "object" && address !== null);
  const free = await freePort();
  await using relay = await startTestRelay({ config: config({}) });
  await rewrite(relay, config({ ours: "example.org", ports: [free, address.port] }));
  const refused = await relay.relay.reload();
  taken.close();
  assert.ok("problems" in refused);
  assert.match(refused.problems.join(), /EADDRINUSE/);
  await assert.rejects(Wire.open(free));
  using wire = await greeted(await relay.connect());
  await wire.ask("MAIL FROM:<carol@example.net>");
  assert.match(await wire.ask("RCPT TO:<alice@example.com>"), /^250 /);
});

test("a listener that is new is bound, one that is gone takes nobody more, and its sessions go on", async () => {
  const [first, second] = [await freePort(), await freePort()];
  await using relay = await startTestRelay({ config: config({ ports: [first] }) });
  using old = await greeted(await relay.connect());
  await rewrite(relay, config({ ports: [second] }));
  await relay.relay.reload();
  await assert.rejects(Wire.open(first));
  using wire = await Wire.open(second);
  assert.match(await wire.reply(), /^220 /);
  assert.match(await old.ask("MAIL FROM:<carol@example.net>"), /^250 /);
  await old.ask("QUIT");
});

test("what needs a restart stays as it was, and that is said", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  const more = `user = "nobody"\ncontrol_socket = "other.sock"\nhistory = "1d"`;
  await rewrite(relay, config({ more }).replace(`"spool"`, `"elsewhere"`));
  const reloaded = await relay.relay.reload();
  assert.ok("kept" in reloaded);
  assert.deepEqual(reloaded.kept, [
    "relay.spool_directory",
    "relay.user",
    "relay.control_socket",
    "relay.history",
  ]);
});

test("one reload after the other: the last one counts", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  await rewrite(relay, config({ ours: "example.org" }));
  const first = relay.relay.reload();
  await rewrite(relay, config({ ours: "example.net" }));
  await Promise.all([first, relay.relay.reload()]);
  using wire = await greeted(await relay.connect());
  await wire.ask("MAIL FROM:<carol@example.net>");
  assert.match(await wire.ask("RCPT TO:<alice@example.net>"), /^250 /);
});

test("a pipe in the place of a certificate, of authorities or of a password refuses it, and stops nothing", async () => {
  await using relay = await startTestRelay({ config: config({}) });
  const pipe = join(relay.directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const wanted = [
    config({}).replace(
      "[dns]",
      `tls = "starttls"\ncertificate = "pipe"\nprivate_key = "pipe"\n[dns]`,
    ),
    config({ transport: `driver = "smtp"\ntls_verify_certificates = "pipe"` }),
    config({
      transport: `driver = "smtp"\nhosts = ["a.test"]\nauth_user = "a"\nauth_password_file = "pipe"`,
    }),
    config({
      more: `[[relay.dkim]]\ndomain = "example.com"\nselector = "a"\nkey_file = "pipe"`,
    }),
  ];
  for (const text of wanted) {
    await rewrite(relay, text);
    const refused = await relay.relay.reload();
    assert.ok("problems" in refused, text);
    assert.match(refused.problems.join("\n"), /cannot read .*pipe: it is no regular file/);
  }
  await rewrite(relay, config({ ours: "example.org" }));
  assert.ok("listeners" in (await relay.relay.reload()));
});
