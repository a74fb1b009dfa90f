// The certificate that relayctl init makes: what a TLS client sees of it.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:tls";
import { describe, test } from "node:test";
import { mismatchOf, selfSigned } from "../../../src/parts/setup/certificate.ts";
import { OTHER, OURS, testCertificate } from "../../support/certificates.ts";
import { readFileSync } from "node:fs";

const NOW = Date.UTC(2026, 11, 1, 12);
const LONG = `${"a".repeat(60)}.${"b".repeat(60)}.example`;

describe("a self-signed certificate", () => {
  for (const hostname of ["mx.example.com", "mx.xn--bcher-kva.example", LONG]) {
    test(`is in the name of ${hostname}, and of no other`, async () => {
      const { certificate, key } = await selfSigned(hostname, NOW);
      const read = new X509Certificate(certificate);
      assert.equal(read.checkHost(hostname), hostname);
      assert.equal(read.checkHost("other.example"), undefined);
      assert.equal(read.subjectAltName, `DNS:${hostname}`);
      assert.equal(read.ca, false);
      assert.ok(read.checkPrivateKey(createPrivateKey(key)));
      assert.ok(read.verify(read.publicKey));
      assert.doesNotMatch(certificate, /PRIVATE|\r/);
    });
  }

  test("holds from the day before for two years", async () => {
    const { validFromDate, validToDate } = new X509Certificate(
      (await selfSigned("mx.example.com", NOW)).certificate,
    );
    assert.equal(validFromDate.toISOString(), "2026-11-30T12:00:00.000Z");
    assert.equal(validToDate.toISOString(), "2028-11-30T12:00:00.000Z");
  });

  test("has a key and a number of its own each time", async () => {
    const [one, other] = await Promise.all([
      selfSigned("mx.example.com", NOW),
      selfSigned("mx.example.com", NOW),
    ]);
    assert.notEqual(one.key, other.key);
    const numbers = [one, other].map((pair) => new X509Certificate(pair.certificate).serialNumber);
    assert.notEqual(numbers[0], numbers[1]);
    for (const number of numbers) assert.match(number, /^(?:0?1)[0-9A-F]{30}$/);
  });

  test("serves a TLS 1.3 client that trusts it", async () => {
    const { certificate, key } = await selfSigned("mx.example.com", Date.now());
    const server = createServer({ cert: certificate, key }, (socket) => socket.end()).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const client = connect({
      port: address.port,
      host: "127.0.0.1",
      ca: certificate,
      servername: "mx.example.com",
    });
    await once(client, "secureConnect");
    assert.ok(client.authorized);
    assert.equal(client.getProtocol(), "TLSv1.3");
    client.destroy();
    server.close();
  });
});

describe("a certificate that is there", () => {
  test("must fit its key", () => {
    const { cert, key } = testCertificate();
    const [certificate, own] = [cert.toString(), key.toString()];
    assert.equal(mismatchOf({ certificate, key: own }), undefined);
    const other = readFileSync(OTHER.privateKey, "utf8");
    assert.match(mismatchOf({ certificate, key: other }) ?? "", /belongs to another/);
    assert.equal(
      mismatchOf({ certificate: readFileSync(OURS.certificate, "utf8"), key: own }),
      undefined,
    );
  });

  test("must be PEM, both of it", () => {
    const { cert, key } = testCertificate();
    const [certificate, own] = [cert.toString(), key.toString()];
    for (const pair of [
      { certificate: "", key: own },
      { certificate, key: "" },
      { certificate: own, key: own },
      { certificate, key: certificate },
      { certificate, key: own.slice(0, -200) },
    ]) {
      assert.match(mismatchOf(pair) ?? "", /not in PEM/);
    }
  });
});
