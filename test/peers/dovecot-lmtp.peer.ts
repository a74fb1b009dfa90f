// Dovecot takes mail by LMTP: every recipient has an answer of its own, and not a byte of the mail changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digest, digestAtHost } from "../../demo/letters.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { eventually } from "./eventually.ts";
import { type DovecotLmtp, startDovecotLmtp } from "./dovecot-lmtp.ts";
import { realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { signedMail } from "./signed-mail.ts";

const skip = missing("dovecot-lmtpd");

/** The last router decides whether the mailboxes get a copy or the mail. */
const config = (where: string, google?: number) => `
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[routers]]
name = "mailboxes"
driver = "accept"
domains = "+ours"
transport = "mailboxes"
unseen = ${google !== undefined}
${
  google === undefined
    ? ""
    : `[[routers]]
name = "google"
driver = "accept"
transport = "google"
[transports.google]
driver = "smtp"
hosts = ["127.0.0.1:${google}"]
`
}
[transports.mailboxes]
driver = "lmtp"
${where}
[[retry]]
rules = "F,1h,1h"
`;

const places: Readonly<Record<string, (dovecot: DovecotLmtp) => string>> = {
  "a Unix socket": ({ socket }) => `socket = "${socket}"`,
  "a port": ({ port }) => `hosts = ["127.0.0.1:${port}"]`,
};

async function sendTo(relay: TestRelay, ...users: readonly string[]): Promise<void> {
  using client = await relay.connect();
  await client.ask("EHLO client.test");
  await client.ask("MAIL FROM:<carol@example.org>");
  for (const user of users) {
    assert.match(await client.ask(`RCPT TO:<${user}@example.com>`), /^250 /);
  }
  await client.ask("DATA");
  client.send(`Subject: hello\r\n\r\n${"A line of some length. ".repeat(3)}\r\n`.repeat(5));
  assert.match(await client.ask("."), /^250 /);
}

for (const [place, where] of Object.entries(places)) {
  test(
    `real mail arrives at Dovecot by ${place} byte for byte, and verifies`,
    { skip },
    async () => {
      await using dovecot = await startDovecotLmtp();
      await using relay = await startTestRelay({ config: config(where(dovecot)) });
      const { mails, failures } = await signedMail();
      await submit(relay.port, "carol@example.org", "alice@example.com", mails);
      await eventually(
        "all mail is delivered",
        () => relay.log.named("message.completed").length === mails.length,
      );
      const arrived = dovecot.messages("alice");
      const digests = arrived.map(digestAtHost).toSorted();
      assert.deepEqual(digests, mails.map(({ bytes }) => digest(bytes)).toSorted());
      assert.deepEqual(await failures(arrived), []);
    },
  );

  test(`each recipient has the answer that Dovecot has for it, by ${place}`, { skip }, async () => {
    await using dovecot = await startDovecotLmtp();
    await using relay = await startTestRelay({ config: config(where(dovecot)) });
    await sendTo(relay, "alice", "full", "zoe", "broken", "bob+lists");
    const done = await relay.happened("delivery.done", 2);
    const failed = await relay.happened("delivery.failed", 2);
    const [deferred] = await relay.happened("delivery.deferred");
    assert.deepEqual(done.map(({ recipient }) => recipient).toSorted(), [
      "alice@example.com",
      "bob+lists@example.com",
    ]);
    const said = new Map(failed.map(({ recipient, status }) => [recipient, status]));
    assert.match(said.get("full@example.com") ?? "", /^552 5\.2\.2 .*Quota exceeded/);
    assert.match(said.get("zoe@example.com") ?? "", /^550 5\.1\.1 .*User doesn't exist/);
    assert.equal(deferred?.recipient, "broken@example.com");
    assert.match(deferred.status, /^451 4\.\d\.\d /);
    assert.equal(dovecot.messages("alice").length, 1);
    assert.equal(dovecot.messages("bob").length, 1);
  });
}

test(
  "as a copy, Dovecot has it first, and what fails there neither bounces nor holds up the mail",
  { skip },
  async () => {
    await using google = await startSink();
    await using dovecot = await startDovecotLmtp();
    await using relay = await startTestRelay({
      config: config(`socket = "${dovecot.socket}"`, google.port),
    });
    await sendTo(relay, "alice", "full");
    const [message] = await google.waitFor(1);
    assert.deepEqual(message?.recipients, ["alice@example.com", "full@example.com"]);
    assert.equal(dovecot.messages("alice").length, 1);
    await relay.happened("delivery.done", 3);
    assert.equal(relay.log.named("message.bounced").length, 0);
  },
);

test("mail waits while Dovecot is away", { skip }, async () => {
  const away = await startDovecotLmtp();
  await away[Symbol.asyncDispose]();
  await using relay = await startTestRelay({ config: config(`socket = "${away.socket}"`) });
  await submit(relay.port, "carol@example.org", "alice@example.com", realMail().slice(0, 1));
  const [deferred] = await relay.happened("delivery.deferred");
  assert.match(deferred?.status ?? "", /^451 4\.4\.1 cannot connect: there is no such socket/);
});
