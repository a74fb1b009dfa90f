// Mail to a domain that says how it wants to be spoken to, from DNS to the wire: MTA-STS, and DANE before it.

import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { outboundConfig } from "../support/build.ts";
import { association, Authority, type Certified } from "../support/authority.ts";
import type { Zone } from "../support/dns.ts";
import { policy, startPolicyHost } from "../support/policy-host.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

let authority: Authority;
let right: Certified;
let wrong: Certified;

before(() => {
  authority = new Authority();
  right = authority.issue({ names: ["mx.example.test"] });
  wrong = authority.issue({ names: ["mx.other.test"] });
});
after(() => authority[Symbol.dispose]());

interface Setting {
  readonly shows: Certified;
  readonly policy: readonly string[];
  readonly tlsa?: Certified;
}

async function setUp(t: TestContext, setting: Setting): Promise<{ relay: TestRelay; sink: Sink }> {
  const { chain: cert, key } = setting.shows;
  const sink = await startSink({ tls: true, server: { cert, key } });
  const host = await startPolicyHost(authority, ["mta-sts.example.test"]);
  host.answer = policy(...setting.policy, "max_age: 86400");
  const { tlsa } = setting;
  const dns: Zone = {
    "example.test": { MX: [[10, "mx.example.test"]] },
    "_mta-sts.example.test": { TXT: ["v=STSv1; id=1;"] },
    "mta-sts.example.test": { A: ["127.0.0.1"] },
    "mx.example.test": { A: ["127.0.0.1"] },
    ...(tlsa === undefined ? {} : signedBy(tlsa, sink.port)),
  };
  const relay = await startTestRelay({
    dns,
    https: host.https,
    files: { "authority.pem": authority.certificate.toString() },
    config: outboundConfig(`port = ${sink.port}\ntls_verify_certificates = "authority.pem"`),
  });
  t.after(async () => {
    await relay[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
    await sink.close();
  });
  using client = await relay.connect();
  await send(client, "<alice@example.com>", ["<bob@example.test>"]);
  return { relay, sink };
}

function signedBy({ certificate }: Certified, port: number): Zone {
  const record = [3, 1, 1, association(certificate, 1, 1)] as const;
  const service: Zone = { [`_${port}._tcp.mx.example.test`]: { TLSA: [record] } };
  return { ...service, signed: ["example.test"] };
}

async function isDelivered(t: TestContext, setting: Setting, told: RegExp): Promise<TestRelay> {
  const { relay, sink } = await setUp(t, setting);
  const [done] = await relay.happened("delivery.done");
  assert.match(done?.tls ?? "", told);
  assert.ok(sink.messages[0]?.tls !== undefined);
  return relay;
}

async function waits(t: TestContext, setting: Setting, expected: RegExp): Promise<Sink> {
  const { relay, sink } = await setUp(t, setting);
  const [deferred] = await relay.happened("delivery.deferred");
  assert.match(deferred?.status ?? "", expected);
  assert.deepEqual(sink.messages, []);
  return sink;
}

const NOT_VERIFIED = /^TLSv1\.3 \w+, certificate not verified$/;
const ENFORCE = ["mode: enforce", "mx: *.example.test"];
const TESTING = ["mode: testing", "mx: mx.example.test"];

test("enforce: a host with a valid certificate gets the mail", async (t) => {
  await isDelivered(t, { shows: right, policy: ENFORCE }, /, valid certificate$/);
});

test("enforce: a host with another certificate gets nothing", async (t) => {
  await waits(t, { shows: wrong, policy: ENFORCE }, /^451 4\.7\.5 TLS handshake failed/);
});

test("enforce: a host that is not in the policy is not spoken to", async (t) => {
  const sink = await waits(
    t,
    { shows: right, policy: ["mode: enforce", "mx: mx2.example.test"] },
    /^451 4\.7\.5 mx\.example\.test is not in the MTA-STS policy of example\.test/,
  );
  assert.equal(sink.connections, 0);
});

test("testing: mail goes, and what would have gone wrong is in the log", async (t) => {
  const relay = await isDelivered(t, { shows: wrong, policy: TESTING }, NOT_VERIFIED);
  const [would] = await relay.happened("mta_sts.would_fail");
  assert.equal(would?.domain, "example.test");
  assert.match(would.host, /^mx\.example\.test \[127\.0\.0\.1\]/);
});

test("testing: a host that is not in the policy is in the log too", async (t) => {
  const policyLines = ["mode: testing", "mx: mx2.example.test"];
  const relay = await isDelivered(t, { shows: wrong, policy: policyLines }, NOT_VERIFIED);
  const [would] = await relay.happened("mta_sts.would_fail");
  assert.equal(would?.error, "it is not in the policy");
});

test("none: mail goes as before", async (t) => {
  await isDelivered(t, { shows: wrong, policy: ["mode: none"] }, NOT_VERIFIED);
});

test("DANE comes first: what matches it needs no public certificate", async (t) => {
  await isDelivered(t, { shows: wrong, policy: ENFORCE, tlsa: wrong }, /, DANE$/);
});

test("DANE comes first: a public certificate is not enough", async (t) => {
  await waits(t, { shows: right, policy: ENFORCE, tlsa: wrong }, /matches no TLSA record/);
});
