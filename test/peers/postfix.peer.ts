// Postfix and the relay hand each other real mail under STARTTLS, and every signature still verifies.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digest, digestAtHost } from "../../demo/letters.ts";
import { workspaceConfig } from "../support/build.ts";
import { tlsListener } from "../support/certificates.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { eventually } from "./eventually.ts";
import { submit } from "./mail.ts";
import { startPostfix } from "./postfix.ts";
import { signedMail } from "./signed-mail.ts";
import { notUnpacked } from "./unpacked.ts";

const skip = notUnpacked("postfix");

/** Postfix puts its own Received on top, in front of ours or behind it. */
function withoutPostfix(raw: Buffer): Buffer {
  const text = raw.toString("latin1");
  const own =
    /^Received: from [^\r]*\r\n(?:[ \t][^\r]*\r\n)*?[ \t]+by postfix\.test \(Postfix\)[^\r]*\r\n(?:[ \t][^\r]*\r\n)*/m;
  assert.match(text, own);
  return Buffer.from(text.replace(own, ""), "latin1");
}

const digests = (arrived: readonly Buffer[]) =>
  arrived.map((raw) => digestAtHost(withoutPostfix(raw))).toSorted();

test(
  "what a user sends arrives behind Postfix byte for byte, over TLS, and verifies",
  { skip },
  async () => {
    const port = await freePort();
    await using world = await startSink();
    await using postfix = await startPostfix(port, world.port);
    await using relay = await startTestRelay({
      config: workspaceConfig(postfix.port).concat(tlsListener(port)),
      files: { gmail_accounts: "alice\n" },
    });
    const { mails, failures } = await signedMail();
    await submit(relay.port, "alice@example.com", "carol@example.org", mails);
    await eventually("all mail is behind Postfix", () => world.messages.length >= mails.length);
    const arrived = world.messages.map(({ raw }) => raw);
    assert.deepEqual(digests(arrived), mails.map(({ bytes }) => digest(bytes)).toSorted());
    assert.deepEqual(await failures(arrived), []);
    assert.match(postfix.log(), /TLS connection established from \S+: TLSv1\.3/);
    assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, mails.length);
  },
);

test(
  "what Postfix sends arrives at Google byte for byte, over TLS, and verifies",
  { skip },
  async () => {
    const port = await freePort();
    await using google = await startSink({ tls: true });
    await using postfix = await startPostfix(port, google.port);
    await using relay = await startTestRelay({
      config: workspaceConfig(google.port).concat(tlsListener(port)),
      files: { gmail_accounts: "alice\n" },
    });
    const { mails, failures } = await signedMail();
    await submit(postfix.port, "carol@example.org", "alice@example.com", mails);
    await eventually("all mail is at Google", () => google.messages.length >= mails.length);
    const arrived = google.messages.map(({ raw }) => raw);
    assert.deepEqual(digests(arrived), mails.map(({ bytes }) => digest(bytes)).toSorted());
    assert.deepEqual(await failures(arrived), []);
    assert.match(postfix.log(), /TLS connection established to \S+: TLSv1\.3/);
    const copies = await relay.copies("mail/example.com/alice");
    assert.equal(copies.length, mails.length);
    assert.match(
      copies[0] ?? "",
      /^Received: from postfix\.test \(\[127\.0\.0\.1\]\)\n\tby .* with ESMTPS \(TLSv1\.3 /m,
    );
  },
);
