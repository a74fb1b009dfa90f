// Our signatures before a verifier that has nothing in common with the signer: dkimpy, Debian's python3-dkim.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { reportDraft } from "../../src/bounce/bounce.ts";
import { type DkimRecord, dkimRecordOf } from "../../src/outbox/dkim-record.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { signMessage } from "../../src/receive/authentication/mailauth.ts";
import { body, ENVELOPE, MESSAGE, recipient, request } from "../bounce/report.ts";
import { BODIES, HEADERS } from "../outbox/unusual-messages.ts";
import { batch, envelope, mailbox, streamedBody } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import { SubmissionSigner } from "../../transports/smtp/signing.ts";
import { missing } from "./packages.ts";

const skip = missing("python3-dkim", "python3-nacl");

const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const { privateKey: ed25519 } = generateKeyPairSync("ed25519");
const SIGNERS = [rsa, ed25519].map((key) => ({
  domain: "example.com",
  selector: key === rsa ? "r" : "e",
  key_file: { path: "", key, isOpen: false },
}));
const RECORDS = SIGNERS.map(dkimRecordOf);

/** Signatures that the verifier takes for right, of each message in turn. */
const SCRIPT = `
import base64, dkim, json, sys
given = json.load(sys.stdin)
records = {(one["name"] + ".").encode(): one["value"].encode() for one in given["records"]}
ask = lambda name, timeout=5: records.get(name)
right = []
for text in given["messages"]:
    verifier = dkim.DKIM(base64.b64decode(text))
    count = 0
    while count < 9:
        try:
            if not verifier.verify(idx=count, dnsfunc=ask): break
        except Exception as error:
            print(repr(error), file=sys.stderr)
            break
        count += 1
    right.append(count)
print(json.dumps(right))
`;

function rightSignatures(messages: readonly Buffer[], records: readonly DkimRecord[]): unknown {
  const input = JSON.stringify({
    records,
    messages: messages.map((one) => one.toString("base64")),
  });
  const said = execFileSync("/usr/bin/python3", ["-c", SCRIPT], {
    input,
    encoding: "utf8",
    stdio: "pipe",
  });
  return JSON.parse(said);
}

test("dkimpy takes a signature over any body for right", { skip }, async () => {
  const messages: Buffer[] = [];
  for (const content of Object.values(BODIES)) {
    for (const head of HEADERS) {
      const message = Buffer.concat([Buffer.from(head), Buffer.from(content)]);
      for (const { domain, selector, key_file: file } of SIGNERS) {
        const privateKey = file.key.export({ type: "pkcs8", format: "pem" });
        const key = { domain, selector, privateKey };
        const covered = ["From", "Subject", "To"];
        const signature = await signMessage(message, covered, key, Date.now());
        messages.push(Buffer.concat([Buffer.from(signature), message]));
      }
    }
  }
  const expected = messages.map(() => 1);
  assert.deepEqual(rightSignatures(messages, RECORDS), expected);
});

test("dkimpy takes what people submit, signed as a stream, for right", { skip }, async () => {
  const signer = new SubmissionSigner(SIGNERS.slice(0, 1), {
    clock: systemClock,
    log: recordingLog(),
  });
  const client = { address: "192.0.2.7", helo: "laptop", user: "alice@example.com" };
  const messages: Buffer[] = [];
  for (const content of Object.values(BODIES)) {
    for (const head of HEADERS) {
      const bytes = Buffer.concat([Buffer.from(head), Buffer.from(content)]);
      const one = batch([], { envelope: envelope({ client }), body: streamedBody(bytes, 777) });
      const pieces: Buffer[] = [];
      for await (const piece of (await signer.signed(one)).body.chunks()) pieces.push(piece);
      messages.push(Buffer.concat(pieces));
    }
  }
  assert.deepEqual(
    rightSignatures(messages, RECORDS),
    messages.map(() => 1),
  );
});

test("dkimpy takes both signatures of our bounces for right", { skip }, async () => {
  const spool = { nextId: () => "0000000001", receive: () => assert.fail("not posted") };
  const outbox = new Outbox(
    { hostname: "mx.example.com", dkim: SIGNERS },
    { spool, log: recordingLog(), wake: () => undefined },
  );
  const latin = Buffer.from(`${MESSAGE}caf\xe9 \t\r\n\r\n\r\n`, "latin1");
  const requests = [
    request(),
    request({ kind: "delayed" }),
    request({ body: body(latin) }),
    request({
      envelope: { ...ENVELOPE, sender: mailbox("ålice@example.org"), smtputf8: true },
      recipients: [recipient("bjørn@example.net"), recipient("用户@example.net")],
    }),
    request({
      recipients: Array.from({ length: 300 }, (_, index) => recipient(`user${index}@example.net`)),
    }),
  ];
  const messages = await Promise.all(
    requests.map(async (one) => {
      const draft = await reportDraft(one);
      return (await outbox.write(draft, { sender: null, now: Date.now() })).bytes;
    }),
  );
  assert.deepEqual(rightSignatures(messages, RECORDS), [2, 2, 2, 2, 2]);
  const changed = Buffer.from((messages[0] ?? "").toString().replace("Half past", "Half  to"));
  assert.deepEqual(rightSignatures([changed], RECORDS), [0]);
});
