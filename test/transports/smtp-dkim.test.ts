// The signatures of the smtp transport, before a verifier: of what people submit, and of nothing else.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import type { Client } from "../../src/mail/envelope.ts";
import { dkimRecordOf } from "../../src/outbox/dkim-record.ts";
import { BODIES, HEADERS } from "../outbox/unusual-messages.ts";
import { batch, envelope, inlineBody, streamedBody } from "../support/build.ts";
import { startSink } from "../support/sink.ts";
import { create } from "./sending.ts";
import { at, never, people, told } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-dkim-"));
after(() => rmSync(directory, { recursive: true }));

/** A key in a file, as the option names it, and its record. */
function keyOf(domain: string, selector: string) {
  const { privateKey: key } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const path = join(directory, `${domain}.${selector}.pem`);
  writeFileSync(path, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const option = { domain, selector, key_file: path };
  return {
    option,
    record: dkimRecordOf({ domain, selector, key_file: { path, key, isOpen: false } }),
  };
}

const OURS = keyOf("example.com", "unseen");
const SECOND = keyOf("example.com", "second");
const OTHER = keyOf("example.net", "unseen");
const RECORDS = new Map([OURS, SECOND, OTHER].map(({ record }) => [record.name, record.value]));

const USER: Client = { address: "192.0.2.7", helo: "laptop", user: "alice@example.com" };

async function resolver(name: string): Promise<string[][]> {
  const value = RECORDS.get(name);
  if (value === undefined) throw Object.assign(new Error(name), { code: "ENOTFOUND" });
  return [[value]];
}

/** The domains whose signature a verifier takes for right, and the number of all signatures. */
async function verified(
  raw: Buffer,
): Promise<{ readonly right: readonly string[]; readonly all: number }> {
  const { results } = await dkimVerify(raw, { resolver });
  const right = results.filter(({ status }) => status.result === "pass");
  const all = raw.toString("latin1").match(/^DKIM-Signature:/gim)?.length ?? 0;
  return { right: right.map(({ signingDomain }) => signingDomain ?? ""), all };
}

/** What arrives of a message with these keys. */
async function sent(
  t: TestContext,
  bytes: Buffer,
  client: Client,
  keys = [OURS, OTHER],
): Promise<Buffer> {
  await using sink = await startSink();
  const dkim = keys.map(({ option }) => option);
  const transport = create(t, { hosts: at(sink.port), dkim });
  const recipients = people("bob");
  const body = bytes.length > 4096 ? streamedBody(bytes, 1000) : inlineBody(bytes);
  const one = batch(recipients, { body, envelope: envelope({ client }) });
  assert.match(told(await transport.deliver(one, never()), recipients).join(), /^delivered/);
  const [message] = sink.messages;
  assert.ok(message !== undefined);
  return message.raw;
}

const LETTER = Buffer.from("From: Alice <alice@Example.com>\r\nSubject: x\r\n\r\nhello\r\n");

describe("mail that a user has submitted", () => {
  for (const [what, body] of Object.entries(BODIES)) {
    test(`is signed with a body ${what}`, async (t) => {
      for (const header of HEADERS) {
        const bytes = Buffer.concat([Buffer.from(header), Buffer.from(body)]);
        const raw = await sent(t, bytes, USER);
        assert.deepEqual(await verified(raw), { right: ["example.com"], all: 1 });
        assert.ok(raw.includes(Buffer.from(header)), "the header goes on as it was");
      }
    });
  }

  test("gets one signature for each domain, whatever the number of its keys", async (t) => {
    const raw = await sent(t, LETTER, USER, [OURS, SECOND, OTHER]);
    assert.deepEqual(await verified(raw), { right: ["example.com"], all: 1 });
  });

  test("is not signed for the domain of another author", async (t) => {
    const foreign = Buffer.from("From: x@example.org\r\nSubject: x\r\n\r\nhello\r\n");
    assert.deepEqual(await verified(await sent(t, foreign, USER)), { right: [], all: 0 });
    const two = Buffer.from("From: a@example.com\r\nFrom: b@example.net\r\n\r\nhello\r\n");
    assert.deepEqual(await verified(await sent(t, two, USER)), { right: [], all: 0 });
  });

  test("is not passed on while it comes in", async (t) => {
    await using sink = await startSink();
    const transport = create(t, { hosts: at(sink.port), dkim: [OURS.option] });
    const recipients = people("bob");
    const coming = { ...inlineBody(LETTER), unread: true };
    const one = batch(recipients, { body: coming, envelope: envelope({ client: USER }) });
    const [outcome] = [...(await transport.deliver(one, never())).values()];
    assert.ok(outcome !== undefined && "notPassed" in outcome && outcome.notPassed);
    assert.equal(sink.connections, 0);
  });
});

test("mail that came in any other way goes on as it came", async (t) => {
  const raw = await sent(t, LETTER, { address: "192.0.2.7", helo: "mx.example.org" });
  assert.ok(raw.equals(LETTER));
});
