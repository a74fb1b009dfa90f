// Exim and the relay hand each other real mail, over TLS, and not a byte of it changes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { digest, digestAtHost } from "../demo/letters.ts";
import { startTestRelay, workspaceConfig } from "../test/support/relay.ts";
import { startSink } from "../test/support/sink.ts";
import { startExim } from "./exim.ts";
import { eventually, type Mail, realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { freePort } from "../test/support/relay-process.ts";

const TLS = join(import.meta.dirname, "..", "test", "support", "tls");
const skip = missing("exim4-daemon-light");

const listener = (port: number) => `
[[listeners]]
address = "127.0.0.1:${port}"
tls = "starttls"
certificate = "${TLS}/certificate.pem"
private_key = "${TLS}/private-key.pem"
`;

function sameMail(arrived: readonly Buffer[], sent: readonly Mail[]): void {
  const digests = arrived.map(digestAtHost);
  const lost = sent.filter(({ bytes }) => !digests.includes(digest(bytes)));
  assert.deepEqual(
    lost.map(({ name }) => name),
    [],
    "did not arrive as it was sent",
  );
  assert.equal(arrived.length, sent.length);
}

test("what a user sends arrives at Exim byte for byte", { skip }, async () => {
  const port = await freePort();
  await using exim = await startExim(port);
  await using relay = await startTestRelay({
    config: workspaceConfig(exim.port).concat(listener(port)),
    files: { gmail_accounts: "alice\n" },
  });
  const mails = realMail();
  await submit(relay.port, "alice@example.com", "carol@example.org", mails);
  await eventually("all mail is at Exim", () => exim.messages().length >= mails.length);
  sameMail(exim.messages(), mails);
  assert.match(exim.log(), /P=esmtps X=TLS1\.3/);
  assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, mails.length);
});

test("what Exim sends arrives at Google byte for byte", { skip }, async () => {
  const port = await freePort();
  await using exim = await startExim(port);
  await using google = await startSink({ tls: true });
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port).concat(listener(port)),
    files: { gmail_accounts: "alice\n" },
  });
  const mails = realMail();
  await submit(exim.port, "carol@example.org", "alice@example.com", mails);
  await eventually("all mail is at Google", () => google.messages.length >= mails.length);
  sameMail(
    google.messages.map(({ raw }) => raw),
    mails,
  );
  const copies = await relay.copies("mail/example.com/alice");
  assert.equal(copies.length, mails.length);
  assert.match(
    copies[0] ?? "",
    /^Received: from exim\.test \(\[127\.0\.0\.1\]\)\n\tby .* with ESMTPS \(TLSv1\.3 /m,
  );
});
