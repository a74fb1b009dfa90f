// Mail of the relay's own: who signs it, and that what cannot be signed is sent all the same.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, test } from "node:test";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import type { Draft } from "../../src/mail/draft.ts";
import type { DkimSigner } from "../../src/outbox/dkim-options.ts";
import { dkimRecordOf } from "../../src/outbox/dkim-record.ts";
import { loadLibraries, Outbox } from "../../src/outbox/outbox.ts";
import { signMessage } from "../../src/receive/authentication/mailauth.ts";
import { BODIES, HEADERS } from "./unusual-messages.ts";
import { bytesOf, inPlace } from "../spool/sqlite/place.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ED25519 = generateKeyPairSync("ed25519").privateKey;
const WEAK = generateKeyPairSync("rsa", { modulusLength: 512 }).privateKey;

function signer(domain: string, selector = "relay", key: KeyObject = RSA): DkimSigner {
  return { domain, selector, key_file: { path: "/dkim.pem", key, isOpen: false } };
}

const DRAFT: Draft = {
  from: { name: "Mail Delivery System", address: "MAILER-DAEMON@mx.example.com" },
  to: mailbox("alice@example.org"),
  subject: "Mail",
  inReplyTo: "<lunch@example.org>",
  fields: { "Auto-Submitted": "auto-replied", "X-Failed-Recipients": "bob@example.net" },
  content: "Hello.\r\n",
};

/** Each signature as "DOMAIN SELECTOR ALGORITHM RESULT", by mailauth's verifier, which asks for the records of `keys`. */
async function verified(message: Buffer, keys: readonly DkimSigner[]): Promise<string[]> {
  const records = new Map(keys.map(dkimRecordOf).map(({ name, value }) => [name, value]));
  const resolver = (name: string) => {
    const value = records.get(name);
    if (value === undefined) throw Object.assign(new Error("none"), { code: "ENOTFOUND" });
    return Promise.resolve([[value]]);
  };
  const how = { resolver, curTime: new Date(NOW), strict: true };
  const { results } = await dkimVerify(message, how);
  return results
    .filter(({ status }) => status.result !== "none")
    .map((one) => `${one.signingDomain} ${one.selector} ${one.algo} ${one.status.result}`);
}

function receive(): never {
  assert.fail("nothing is put into the spool");
}

function setUp(dkim: readonly DkimSigner[]) {
  const log = recordingLog();
  let ids = 0;
  const spool = { nextId: () => `000000000${++ids}`, receive };
  const services = { spool, log, wake: () => undefined };
  const options = { hostname: "mx.example.com", dkim };
  const outbox = new Outbox(options, services);
  const write = async (draft = DRAFT) =>
    (await outbox.write(draft, { sender: null, now: NOW })).bytes;
  return { outbox, options, log, write };
}

describe("mail of the relay's own is signed", () => {
  test("by the key of the domain of its From address, or of the nearest one above it", async () => {
    const keys = [signer("example.com"), signer("mx.example.com"), signer("example.net")];
    for (const [from, domain] of [
      ["MAILER-DAEMON@mx.example.com", "mx.example.com"],
      ["MAILER-DAEMON@MX2.Example.com", "example.com"],
      ["a@example.com", "example.com"],
      ["a@deep.below.example.net", "example.net"],
    ] as const) {
      const { write, log } = setUp(keys);
      const message = await write({ ...DRAFT, from: { name: "", address: from } });
      assert.deepEqual(await verified(message, keys), [`${domain} relay rsa-sha256 pass`]);
      assert.deepEqual(log.events, []);
    }
  });

  test("by no key of another domain", async () => {
    const plain = await setUp([]).write();
    for (const domain of ["ample.com", "x.mx.example.com", "example.org", "le.com"]) {
      const { write, log } = setUp([signer(domain)]);
      assert.deepEqual(await write(), plain);
      assert.deepEqual(log.events, []);
    }
  });

  test("by all keys of its domain, of either kind", async () => {
    const keys = [signer("example.com", "r"), signer("example.com", "e", ED25519)];
    assert.deepEqual(await verified(await setUp(keys).write(), keys), [
      "example.com r rsa-sha256 pass",
      "example.com e ed25519-sha256 pass",
    ]);
  });

  test("over the whole body and every field that it has", async () => {
    const keys = [signer("example.com")];
    const message = (await setUp(keys).write()).toString();
    const [, fields = ""] = /h=([^;]+);/.exec(message.replaceAll(/\s+/g, "")) ?? [];
    const [header = ""] = message.slice(message.indexOf("\r\nFrom: ") + 2).split("\r\n\r\n");
    const names = [...header.matchAll(/^([\w-]+):/gm)].map(([, name]) => name);
    assert.deepEqual(new Set(fields.split(":")), new Set(names));
    assert.doesNotMatch(message, /;\s*l=/);
    for (const [part, other] of [
      ["Hello.", "Hello!"],
      ["bob@example.net", "eve@example.net"],
      ["auto-replied", "no"],
      ["To: alice", "To: eve"],
    ] as const) {
      const [result] = await verified(Buffer.from(message.replace(part, other)), keys);
      assert.match(result ?? "", /(?:fail|neutral)$/, part);
    }
  });

  test("over a header beyond ASCII", async () => {
    const keys = [signer("example.com")];
    const fields = { "X-Failed-Recipients": "bjørn@example.net, 用户@example.net" };
    const to = mailbox("ålice@bücher.example");
    const message = await setUp(keys).write({ ...DRAFT, to, fields });
    assert.match(message.toString(), /^To: ålice@bücher\.example\r$/m);
    assert.deepEqual(await verified(message, keys), ["example.com relay rsa-sha256 pass"]);
  });

  test("by the keys of the configuration in force", async () => {
    const { outbox, options, write } = setUp([signer("example.com", "old")]);
    const next = [signer("example.com", "new", ED25519)];
    outbox.follow({ ...options, dkim: next });
    assert.deepEqual(await verified(await write(), next), ["example.com new ed25519-sha256 pass"]);
    outbox.follow({ ...options, dkim: [] });
    assert.doesNotMatch((await write()).toString(), /DKIM/);
  });
});

describe("mail that cannot be signed", () => {
  const keys = [signer("example.com", "weak", WEAK), signer("example.com", "right")];

  test("is sent without that signature, and the log says so", async () => {
    const { write, log } = setUp(keys);
    const message = await write();
    assert.deepEqual(await verified(message, keys), ["example.com right rsa-sha256 pass"]);
    const [event, ...more] = log.named("message.unsigned");
    assert.deepEqual(more, []);
    assert.match(
      JSON.stringify(event),
      /^{"id":"0000000001","from":"MAILER-DAEMON@mx\.example\.com","domain":"example\.com","selector":"weak","error":"[^"]*cannot be signed[^"]*1024[^"]*"}$/,
    );
    const { write: writeAgain } = setUp(keys.slice(0, 1));
    assert.deepEqual(await writeAgain(), await setUp([]).write());
  });

  test("whatever is wrong with the key", async () => {
    const { privateKey: elliptic } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { publicKey } = generateKeyPairSync("ed25519");
    for (const key of [elliptic, publicKey]) {
      const { write, log } = setUp([signer("example.com", "odd", key)]);
      assert.deepEqual(await write(), await setUp([]).write());
      assert.equal(log.named("message.unsigned").length, 1);
    }
  });

  test("is not sent where its writer demands a signature", async () => {
    const { outbox } = setUp([signer("example.com")]);
    const pem = WEAK.export({ type: "pkcs8", format: "pem" });
    const key = { domain: "example.com", selector: "s", privateKey: pem };
    await assert.rejects(outbox.write(DRAFT, { sender: null, now: NOW, key }), /cannot be signed/);
  });
});

test("a mail that is posted is in the spool, as it was written, and the queue is woken", async () => {
  await inPlace(async ({ open, log }) => {
    const spool = await open();
    let woken = 0;
    const outbox = new Outbox(
      { hostname: "mx.example.com", dkim: [signer("example.com")] },
      { spool, log, wake: () => void woken++ },
    );
    const sender = mailbox("tls-reports@example.com");
    const posting = { sender, now: NOW, notify: "NEVER", tlsOptional: true } as const;
    const id = await outbox.post(DRAFT, posting);
    const [message, ...more] = await spool.take(Number.MAX_SAFE_INTEGER, 10);
    assert.ok(message !== undefined && more.length === 0);
    assert.partialDeepStrictEqual(message.envelope, { id, sender, tlsOptional: true });
    assert.partialDeepStrictEqual(message.recipients[0], { mailbox: DRAFT.to, notify: "NEVER" });
    const results = await verified(await bytesOf(message), [signer("example.com")]);
    assert.deepEqual(results, ["example.com relay rsa-sha256 pass"]);
    assert.equal(woken, 1);
    await spool.close();
  });
});

describe("a signature is right over a body", () => {
  for (const [what, body] of Object.entries(BODIES)) {
    test(what, async () => {
      for (const head of HEADERS) {
        const message = Buffer.concat([Buffer.from(head), Buffer.from(body)]);
        for (const one of [signer("example.com"), signer("example.com", "e", ED25519)]) {
          const { domain, selector, key_file: file } = one;
          const privateKey = file.key.export({ type: "pkcs8", format: "pem" });
          const key = { domain, selector, privateKey };
          const signature = await signMessage(message, ["From", "Subject", "To"], key, NOW);
          const [result] = await verified(Buffer.concat([Buffer.from(signature), message]), [one]);
          assert.match(result ?? "", / pass$/);
        }
      }
    });
  }
});

test("the libraries can be loaded before they are needed", async () => {
  await loadLibraries([signer("example.com")]);
});
