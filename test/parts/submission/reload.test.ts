// A new configuration under sessions of submission: what goes on as it began, and what follows it.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:tls";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { OTHER, OURS } from "../../support/certificates.ts";
import { freePort } from "../../support/relay-process.ts";
import { Wire } from "../../support/wire.ts";
import { usersSocket } from "../../../src/users/login-protocol.ts";
import { SharedLogins } from "../../../src/users/shared-logins.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { LOGIN, startSubmission, type SubmissionRelay } from "./relay.ts";

const TEXT = "From: alice@example.com\r\n\r\nx\r\n.\r\n";

/** Replaces texts of routers.toml, and reloads it. */
async function reload({ relay }: SubmissionRelay, changes: readonly (readonly [string, string])[]) {
  const { file } = relay.configuration;
  let text = await readFile(file, "utf8");
  for (const [before, after] of changes) {
    assert.ok(text.includes(before), before);
    text = text.replaceAll(before, after);
  }
  await writeFile(file, text);
  return relay.relay.reload();
}

/** The name in the certificate that a new client sees. */
async function certificateName(port: number): Promise<unknown> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

test("a transaction ends by the rules it began with, the next one has the new ones", async () => {
  await using submission = await startSubmission(
    "implicit",
    '[submission]\nrate = "100/1h"\nrecipients_max = 3',
  );
  const { port } = submission.relay;
  const wire = await submission.login();
  await wire.ask("MAIL FROM:<alice@example.com>");
  assert.match(await wire.ask("RCPT TO:<a@example.net>"), /^250/);
  assert.equal(await certificateName(port), "mx.example.com");

  const reloaded = await reload(submission, [
    ['rate = "100/1h"\nrecipients_max = 3', 'rate = "4/1h"\nrecipients_max = 2'],
    [OURS.certificate, OTHER.certificate],
    [OURS.privateKey, OTHER.privateKey],
  ]);
  assert.ok("listeners" in reloaded, JSON.stringify(reloaded));
  assert.equal(await certificateName(port), "other.test");

  for (const name of ["b", "c"]) {
    assert.match(await wire.ask(`RCPT TO:<${name}@example.net>`), /^250/);
  }
  assert.match(await wire.ask("RCPT TO:<d@example.net>"), /^452 4\.5\.3/);
  assert.match(await wire.ask("DATA"), /^354/);
  wire.send(TEXT);
  assert.match(await wire.reply(), /^250 2\.0\.0/);

  const sendTo = async (names: readonly string[]) => {
    await wire.ask("MAIL FROM:<alice@example.com>");
    const replies: string[] = [];
    for (const name of names) {
      replies.push((await wire.ask(`RCPT TO:<${name}@example.net>`)).slice(0, 3));
    }
    await wire.ask("RSET");
    return replies;
  };
  assert.deepEqual(await sendTo(["a", "b", "c"]), ["250", "250", "452"]);

  // The same rate once more: what was sent goes on to count.
  await reload(submission, [["recipients_max = 2", "recipients_max = 9"]]);
  assert.deepEqual(await sendTo(["a", "b", "c"]), ["250", "250", "450"]);
});

test("a wrong configuration changes nothing for sessions", async () => {
  await using submission = await startSubmission("none", "[submission]\nrecipients_max = 3");
  const wire = await submission.login();
  await wire.ask("MAIL FROM:<alice@example.com>");
  const refused = await reload(submission, [["recipients_max = 3", "recipients_max = 0"]]);
  assert.ok("problems" in refused);
  for (const name of ["a", "b", "c"]) {
    assert.match(await wire.ask(`RCPT TO:<${name}@example.net>`), /^250/);
  }
  await wire.ask("RSET");
});

test("an address keeps its protocol until a restart, or a reload without it", async () => {
  const port = await freePort();
  const listener = (protocol: string) =>
    `[[listeners]]\naddress = "127.0.0.1:${port}"\nprotocol = "${protocol}"\n`;
  await using submission = await startSubmission("none", listener("smtp"));
  const wire = await submission.login();

  const refused = await reload(submission, [[listener("smtp"), listener("submission")]]);
  assert.deepEqual(refused, {
    problems: [
      `127.0.0.1:${port} cannot change its protocol from "smtp" to "submission" while the relay runs: restart the relay, or reload once without this listener`,
    ],
  });
  const { relay } = submission;
  assert.match(await greetingAt(port), /ESMTP unseen$/);
  assert.match(await wire.ask("NOOP"), /^250/);
  assert.equal(relay.log.named("relay.reload_refused").length, 1);

  assert.ok("listeners" in (await reload(submission, [[listener("submission"), ""]])));
  const { file } = relay.configuration;
  await writeFile(file, listener("submission") + (await readFile(file, "utf8")));
  assert.ok("listeners" in (await relay.relay.reload()));
  assert.match(await greetingAt(port), /unseen submission/);
  assert.match(await wire.ask("NOOP"), /^250/);
});

async function greetingAt(port: number): Promise<string> {
  using wire = await Wire.open(port);
  return await wire.reply();
}

test("logins of another process are judged by the same users file, also after a reload", async () => {
  await using submission = await startSubmission("none", '[users]\nfile = "users"');
  const { relay } = submission;
  const path = usersSocket(join(relay.directory, "spool"));
  const users = join(relay.directory, "users");
  const web = new SharedLogins(users, path, { clock: systemClock, log: relay.log });
  const alice = { user: "alice@example.com", password: "geheim", by: "web" } as const;
  assert.equal((await web.login({ ...alice, client: "192.0.2.1" })).kind, "right");
  await writeFile(join(relay.directory, "nobody"), "");
  await reload(submission, [['file = "users"', 'file = "nobody"']]);
  assert.equal((await web.login({ ...alice, client: "192.0.2.1" })).kind, "wrong");
  const wire = await submission.open();
  assert.match(await wire.ask(LOGIN), /^535 /);
});
