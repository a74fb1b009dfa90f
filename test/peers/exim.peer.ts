// Exim and the relay hand each other real mail, over TLS, and not a byte of it changes. Exim as a smarthost lets the
// relay in by name and password.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { digest, digestAtHost } from "../../demo/letters.ts";
import { workspaceConfig } from "../support/build.ts";
import { OURS, tlsListener } from "../support/certificates.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { eventually } from "./eventually.ts";
import { startExim } from "./exim.ts";
import { realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { type SignedMail, signedMail } from "./signed-mail.ts";
import { freePort } from "../support/relay-process.ts";

const skip = missing("exim4-daemon-light");

/** Nothing is lost, nothing is changed, and every signature verifies. */
async function arrived(raw: readonly Buffer[], { mails, failures }: SignedMail): Promise<void> {
  const digests = raw.map(digestAtHost).toSorted();
  assert.deepEqual(digests, mails.map(({ bytes }) => digest(bytes)).toSorted());
  assert.deepEqual(await failures(raw), []);
}

test("what a user sends arrives at Exim byte for byte", { skip }, async () => {
  const port = await freePort();
  await using exim = await startExim(port);
  await using relay = await startTestRelay({
    config: workspaceConfig(exim.port).concat(tlsListener(port)),
    files: { gmail_accounts: "alice\n" },
  });
  const signed = await signedMail();
  await submit(relay.port, "alice@example.com", "carol@example.org", signed.mails);
  await eventually("all mail is at Exim", () => exim.messages().length >= signed.mails.length);
  await arrived(exim.messages(), signed);
  assert.match(exim.log(), /P=esmtps X=TLS1\.3/);
  assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, signed.mails.length);
});

test("what Exim sends arrives at Google byte for byte", { skip }, async () => {
  const port = await freePort();
  await using exim = await startExim(port);
  await using google = await startSink({ tls: true });
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port).concat(tlsListener(port)),
    files: { gmail_accounts: "alice\n" },
  });
  const signed = await signedMail();
  await submit(exim.port, "carol@example.org", "alice@example.com", signed.mails);
  await eventually("all mail is at Google", () => google.messages.length >= signed.mails.length);
  await arrived(
    google.messages.map(({ raw }) => raw),
    signed,
  );
  const copies = await relay.copies("mail/example.com/alice");
  assert.equal(copies.length, signed.mails.length);
  assert.match(
    copies[0] ?? "",
    /^Received: from exim\.test \(\[127\.0\.0\.1\]\)\n\tby .* with ESMTPS \(TLSv1\.3 /m,
  );
});

test(
  "Exim as a smarthost takes mail when the password is right, and no mail bounces before",
  { skip },
  async () => {
    await using exim = await startExim(await freePort());
    await using relay = await startTestRelay({
      config: workspaceConfig(exim.port).replace(
        '[transports.remote_smtp]\ndriver = "smtp"\n',
        `[transports.remote_smtp]
driver = "smtp"
hosts = ["127.0.0.1:${exim.port}"]
tls_verify_certificates = "${OURS.certificate}"
auth_user = "relay"
auth_password_file = "password"
[[retry]]
rules = "F,1h,1s"
`,
      ),
      files: { gmail_accounts: "alice\n", password: "wrong" },
      modes: { password: 0o600 },
    });
    const [first = assert.fail()] = realMail();
    await submit(relay.port, "alice@example.com", "carol@example.org", [first]);
    const [alarm] = await relay.happened("alarm");
    assert.match(alarm?.what ?? "", /AUTH was refused: 535 .*Incorrect authentication data/);
    assert.equal(exim.messages().length, 0);

    writeFileSync(join(relay.directory, "password"), "open sesame\n");
    await eventually("the mail is at Exim", () => exim.messages().length === 1);
    assert.match(exim.log(), /P=esmtpsa X=TLS1\.3.* A=plain:relay/);
    assert.equal(relay.log.named("message.bounced").length, 0);
  },
);
