// The parts of DANE that need no connection; test/transports/smtp-dane.test.ts has the rest.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import type { TlsaRecord } from "../../src/dns/dns.ts";
import { judgeDane, publicKeyOf, usableRecords } from "../../src/tls/dane.ts";
import { testCertificate } from "../support/certificates.ts";

function record(usage: number, selector: number, matching: number, octets: number): TlsaRecord {
  return { usage, selector, matching, association: Buffer.alloc(octets, usage) };
}

function brief(records: readonly TlsaRecord[]): string[] {
  return records.map(({ usage, selector, matching }) => `${usage} ${selector} ${matching}`);
}

describe("usable TLSA records", () => {
  test("are of usage 2 and 3, of known selectors and types, of the right length", () => {
    const good = [record(2, 0, 1, 32), record(3, 1, 2, 64), record(3, 0, 0, 500)];
    const bad = [
      record(0, 0, 1, 32),
      record(1, 0, 1, 32),
      record(4, 0, 1, 32),
      record(255, 0, 1, 32),
      record(3, 2, 1, 32),
      record(3, 1, 3, 32),
      record(3, 1, 1, 31),
      record(3, 1, 2, 32),
      record(3, 1, 0, 0),
    ];
    assert.deepEqual(usableRecords([...bad, ...good]), good);
  });

  test("have the strongest digest of their usage and selector, or none", () => {
    const records = [
      record(3, 1, 0, 90),
      record(3, 1, 1, 32),
      record(3, 1, 2, 64),
      record(3, 0, 1, 32),
      record(2, 1, 1, 32),
    ];
    assert.deepEqual(brief(usableRecords(records)), ["3 1 0", "3 1 2", "3 0 1", "2 1 1"]);
  });
});

describe("the public key of a certificate", () => {
  const { raw, publicKey } = new X509Certificate(testCertificate().cert);

  test("is found where it stands", () => {
    assert.deepEqual(publicKeyOf(raw), publicKey.export({ type: "spki", format: "der" }));
  });

  test("is none in what is no DER, whatever it is", () => {
    const { publicKey: key } = generateKeyPairSync("ed25519");
    for (const octets of [
      Buffer.alloc(0),
      Buffer.from([0x30]),
      Buffer.from([0x30, 0x80, 0, 0]),
      Buffer.from([0x30, 0x88, 1, 1, 1, 1, 1, 1, 1, 1]),
      key.export({ type: "spki", format: "der" }),
    ]) {
      const found = publicKeyOf(octets);
      const digest = createHash("sha256").update(raw).digest();
      const wanted = { usage: 3, selector: 1, matching: 1, association: digest };
      const identity = { base: "mx.test", names: ["mx.test"], records: [wanted] };
      assert.ok(found === undefined || found.length < octets.length);
      assert.deepEqual(judgeDane(identity, [octets], false), { kind: "mismatch" });
    }
    for (let end = 0; end < raw.length; end += 7) publicKeyOf(raw.subarray(0, end));
  });
});

test("a host that shows no certificate matches nothing", () => {
  const identity = { base: "mx.test", names: ["mx.test"], records: [record(3, 1, 1, 32)] };
  assert.deepEqual(judgeDane(identity, [], false), { kind: "mismatch" });
});
