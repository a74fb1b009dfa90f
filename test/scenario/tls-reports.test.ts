// A domain asks how TLS with its hosts went, and is told the next day: by signed mail, and by HTTPS.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmod, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { isTable } from "../../src/base/table.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { DAY, dueTime } from "../../src/parts/tls-reports/report.ts";
import { outboundConfig } from "../support/build.ts";
import { association, Authority, type Certified } from "../support/authority.ts";
import { manualClock, type ManualClock } from "../support/clock.ts";
import type { Zone } from "../support/dns.ts";
import { policy, type PolicyHost, startPolicyHost } from "../support/policy-host.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, type SinkMessage, startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

const TODAY = Date.UTC(2026, 10, 22);
const HOUR = 3_600_000;

let authority: Authority;
let right: Certified;
let wrong: Certified;
const key = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = key.privateKey.export({ type: "pkcs8", format: "pem" });
const published = key.publicKey.export({ type: "spki", format: "der" }).toString("base64");

before(() => {
  authority = new Authority();
  right = authority.issue({ names: ["mx.example.test"] });
  wrong = authority.issue({ names: ["mx.other.test"] });
});
after(() => authority[Symbol.dispose]());

interface Setting {
  readonly shows: Certified;
  /** Offers STARTTLS. */
  readonly tls?: boolean;
  readonly policy?: readonly string[];
  readonly rua?: string;
  readonly more?: (sink: Sink) => Zone;
  /** The message is not delivered. */
  readonly waits?: true;
  /** Without the table in the configuration. */
  readonly off?: true;
}

interface Stage {
  readonly clock: ManualClock;
  readonly sink: Sink;
  readonly host: PolicyHost;
  /** A relay of its own, on `directory` of an earlier one. */
  readonly start: (directory?: string) => Promise<TestRelay>;
}

async function setUp(t: TestContext, setting: Setting): Promise<Stage> {
  const { chain: cert, key: hostKey } = setting.shows;
  const sink = await startSink({ tls: setting.tls ?? true, server: { cert, key: hostKey } });
  const host = await startPolicyHost(authority, ["mta-sts.example.test", "reports.example.test"]);
  if (setting.policy) host.answer = policy(...setting.policy, "max_age: 864000");
  const clock = manualClock(TODAY + 12 * HOUR);
  const dns: Zone = {
    "example.test": { MX: [[10, "mx.example.test"]] },
    ...(setting.policy && { "_mta-sts.example.test": { TXT: ["v=STSv1; id=1;"] } }),
    ...(setting.rua !== undefined && {
      "_smtp._tls.example.test": { TXT: [`v=TLSRPTv1; rua=${setting.rua}`] },
    }),
    "mta-sts.example.test": { A: ["127.0.0.1"] },
    "reports.example.test": { A: ["127.0.0.1"] },
    "mx.example.test": { A: ["127.0.0.1"] },
    ...setting.more?.(sink),
  };
  const start = async (directory?: string): Promise<TestRelay> => {
    const relay = await startTestRelay({
      dns,
      clock,
      https: host.https,
      files: { "authority.pem": authority.certificate.toString(), "dkim.key": pem },
      modes: { "dkim.key": 0o600 },
      config: configuration(sink.port) + (setting.off ? "" : TABLE),
      ...(directory !== undefined && { directory }),
    });
    t.after(() => relay[Symbol.asyncDispose]());
    return relay;
  };
  t.after(async () => {
    await host[Symbol.asyncDispose]();
    await sink.close();
  });
  return { clock, sink, host, start };
}

const configuration = (port: number) =>
  outboundConfig(`port = ${port}
connection_idle = "0s"
tls_verify_certificates = "authority.pem"`);

const TABLE = `
[tls_reports]
from = "tls-reports@example.com"
organization = "Example"
dkim_domain = "example.com"
dkim_selector = "tlsrpt"
dkim_key_file = "dkim.key"
`;

async function mail(relay: TestRelay): Promise<void> {
  using client = await relay.connect();
  await send(client, "<alice@example.com>", ["<bob@example.test>"]);
}

const DUE = dueTime(TODAY, "example.test", "mx.example.com");

/** Moves on to the time of the report. What has been asked of the DNS before has its answer: DNS has a deadline too. */
async function untilDue(clock: ManualClock, { dns, log }: TestRelay): Promise<void> {
  while (!dns.queries.includes("TXT _smtp._tls.example.test")) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const resolver = createResolver({ clock, servers: [dns.address] });
  await resolver.txt("behind.example.test");
  await resolver.close();
  clock.advance(DUE - clock.now());
  assert.deepEqual(log.named("tls_report.failed"), []);
}

/** The JSON that a report by mail has in it. */
function reportIn({ raw }: SinkMessage): unknown {
  const [, base64 = ""] =
    /filename="[^"]+\.json\.gz"\r\n.*?\r\n\r\n(.*?)\r\n--/s.exec(raw.toString()) ?? [];
  return JSON.parse(gunzipSync(Buffer.from(base64, "base64")).toString());
}

function policiesIn(report: unknown): Record<string, unknown>[] {
  assert.ok(isTable(report) && Array.isArray(report["policies"]));
  return report["policies"].map((one: unknown) => {
    assert.ok(isTable(one));
    return one;
  });
}

const summary = (successful: number, failed: number) => ({
  "total-successful-session-count": successful,
  "total-failure-session-count": failed,
});

const MAILTO = "mailto:tls@example.test";
const ENFORCE = ["mode: enforce", "mx: mx.example.test"];

test("a report comes as signed mail, and says how many sessions went well", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  await mail(relay);
  await relay.happened("delivery.done", 2);
  clock.advance(DUE - clock.now() - 1);
  assert.deepEqual(relay.log.named("tls_report.sent"), []);
  clock.advance(1);
  const [sent] = await relay.happened("tls_report.sent");
  assert.equal(sent?.to, MAILTO);
  const [, , message] = await sink.waitFor(3);
  assert.ok(message !== undefined);

  assert.equal(message.sender, "tls-reports@example.com");
  assert.deepEqual(message.recipients, ["tls@example.test"]);
  const header =
    message.raw
      .toString()
      .split("\r\n\r\n")[0]
      ?.replaceAll(/\r\n\s+/g, " ") ?? "";
  const id = "2026-11-22.example.test@example.com";
  for (const line of [
    "From: tls-reports@example.com",
    "To: tls@example.test",
    `Subject: Report Domain: example.test Submitter: example.com Report-ID: <${id}>`,
    "TLS-Report-Domain: example.test",
    "TLS-Report-Submitter: example.com",
    `Content-Type: multipart/report; report-type=tlsrpt; boundary="=_${sent?.id}"`,
  ]) {
    assert.ok(header.split("\r\n").includes(line), `${line} in ${header}`);
  }
  const [one, ...others] = policiesIn(reportIn(message));
  assert.deepEqual(others, []);
  assert.deepEqual(one, {
    policy: {
      "policy-type": "sts",
      "policy-string": ["version: STSv1", ...ENFORCE, "max_age: 864000"],
      "policy-domain": "example.test",
      "mx-host": ["mx.example.test"],
    },
    summary: summary(2, 0),
  });
});

/** The DNS of a reader. */
function keyOf(name: string): Promise<string[][]> {
  assert.equal(name, "tlsrpt._domainkey.example.com");
  return Promise.resolve([[`v=DKIM1; k=rsa; s=email:tlsrpt; p=${published}`]]);
}

test("the signature is right, covers the whole message, and comes from the submitter's domain", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  await untilDue(clock, relay);
  const [, message] = await sink.waitFor(2);
  const raw = message?.raw ?? Buffer.alloc(0);
  const curTime = new Date(clock.now());
  const verify = async (bytes: Buffer) =>
    (await dkimVerify(bytes, { resolver: keyOf, curTime })).results[0];
  const verified = await verify(raw);
  assert.equal(verified?.status.result, "pass", JSON.stringify(verified?.status));
  assert.equal(verified.signingDomain, "example.com");
  assert.ok(!/[; \t]l=/.test(raw.toString().split("\r\n\r\n")[0] ?? ""));
  const changed = await verify(Buffer.from(raw.toString().replace("aggregate", "Aggregate")));
  assert.notEqual(changed?.status.result, "pass");
});

test("a domain with broken TLS is told so, by mail that goes there all the same", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: wrong, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.deferred");
  await untilDue(clock, relay);
  const [message] = await sink.waitFor(1);
  assert.ok(message !== undefined);
  assert.equal(message.sender, "tls-reports@example.com");
  const [one] = policiesIn(reportIn(message));
  assert.deepEqual(one?.["summary"], summary(0, 1));
  const [detail] = Array.isArray(one["failure-details"]) ? one["failure-details"] : [];
  assert.ok(isTable(detail));
  assert.match(String(detail["failure-reason-code"]), /TLS handshake failed/);
  assert.deepEqual(
    { ...detail, "failure-reason-code": "" },
    {
      "result-type": "certificate-host-mismatch",
      "sending-mta-ip": "127.0.0.1",
      "receiving-mx-hostname": "mx.example.test",
      "receiving-ip": "127.0.0.1",
      "failed-session-count": 1,
      "failure-reason-code": "",
    },
  );
});

/** What a report says of one message under this setting: policy type and domain, result, whether it was delivered. */
async function told(t: TestContext, setting: Setting): Promise<unknown[]> {
  const stage = await setUp(t, { rua: "https://reports.example.test/", ...setting });
  const { clock, host } = stage;
  const relay = await stage.start();
  await mail(relay);
  await relay.happened(setting.waits ? "delivery.deferred" : "delivery.done");
  const posted = nextPost(host);
  await untilDue(clock, relay);
  const { report } = await posted;
  return policiesIn(report).map((one) => {
    const { policy: shown, "failure-details": details } = one;
    assert.ok(isTable(shown));
    const results = (Array.isArray(details) ? details : []).map((detail: unknown) =>
      isTable(detail) ? detail["result-type"] : undefined,
    );
    return [shown["policy-type"], shown["policy-domain"], ...results];
  });
}

interface Post {
  readonly type: string | undefined;
  readonly report: unknown;
}

/** Takes the next request, which is a report, and answers it so. */
function nextPost(host: PolicyHost, statusCode = 201): Promise<Post> {
  return new Promise((resolve) => {
    host.answer = (response) => {
      const pieces: Buffer[] = [];
      const { req } = response;
      req.on("data", (piece: Buffer) => pieces.push(piece));
      req.on("end", () => {
        response.writeHead(statusCode).end();
        const report: unknown = JSON.parse(gunzipSync(Buffer.concat(pieces)).toString());
        resolve({ type: req.headers["content-type"], report });
      });
    };
  });
}

const tlsa =
  (certified: Certified, usage = 3) =>
  (sink: Sink): Zone => {
    const record = [usage, 1, 1, association(certified.certificate, 1, 1)] as const;
    const service: Zone = { [`_${sink.port}._tcp.mx.example.test`]: { TLSA: [record] } };
    return { ...service, signed: ["example.test"] };
  };

test("DANE that is kept is a success, under the name of the host", async (t) => {
  const policies = await told(t, { shows: right, more: tlsa(right) });
  assert.deepEqual(policies, [["tlsa", "mx.example.test"]]);
});

test("DANE that does not match is a failure", async (t) => {
  const policies = await told(t, { shows: wrong, more: tlsa(right), waits: true });
  assert.deepEqual(policies, [["tlsa", "mx.example.test", "validation-failure"]]);
});

test("TLSA records that nobody can use are a failure, although mail goes", async (t) => {
  const policies = await told(t, { shows: right, more: tlsa(right, 1) });
  assert.deepEqual(policies, [["tlsa", "mx.example.test", "tlsa-invalid"]]);
});

const forged = (sink: Sink): Zone => ({
  signed: ["example.test"],
  fail: { [`TLSA _${sink.port}._tcp.mx.example.test`]: "SERVFAIL" },
});

test("TLSA records that DNSSEC calls forged are a failure", async (t) => {
  const policies = await told(t, { shows: right, more: forged, waits: true });
  assert.deepEqual(policies, [["tlsa", "mx.example.test", "dnssec-invalid"]]);
});

test("MTA-STS under test: what enforcement would have refused is a failure", async (t) => {
  const testing = ["mode: testing", "mx: mx.example.test"];
  const policies = await told(t, { shows: wrong, policy: testing });
  assert.deepEqual(policies, [["sts", "example.test", "certificate-host-mismatch"]]);
});

test("MTA-STS: a host that is not in the policy is a failure", async (t) => {
  const policies = await told(t, {
    shows: right,
    policy: ["mode: enforce", "mx: other.test"],
    waits: true,
  });
  assert.deepEqual(policies, [["sts", "example.test", "validation-failure"]]);
});

test("MTA-STS: a policy that is none is a failure, beside the sessions without it", async (t) => {
  const policies = await told(t, { shows: right, policy: ["mode: sometimes"] });
  assert.deepEqual(policies, [
    ["sts", "example.test", "sts-policy-invalid"],
    ["no-policy-found", "example.test"],
  ]);
});

test("no policy: a host without STARTTLS is a failure, although mail goes", async (t) => {
  const policies = await told(t, { shows: right, tls: false });
  assert.deepEqual(policies, [["no-policy-found", "example.test", "starttls-not-supported"]]);
});

test("both destinations are served; one that fails is tried again, and the other not", async (t) => {
  const rua = `${MAILTO},https://reports.example.test/tls?x=1`;
  const { clock, sink, host, start } = await setUp(t, { shows: right, rua });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  const refused = nextPost(host, 503);
  await untilDue(clock, relay);
  await refused;
  const [failed] = await relay.happened("tls_report.failed");
  assert.match(failed?.error ?? "", /HTTP status 503/);
  assert.ok(failed?.next_attempt !== undefined);
  await relay.happened("delivery.done", 2);
  const taken = nextPost(host);
  clock.advance(Date.parse(failed.next_attempt) - clock.now());
  const { type, report } = await taken;
  assert.equal(type, "application/tlsrpt+gzip");
  await relay.happened("tls_report.sent", 2);
  assert.match(host.requests.at(-1) ?? "", /^reports\.example\.test(?::\d+)?\/tls\?x=1$/);
  const [, message] = sink.messages;
  assert.ok(message !== undefined);
  assert.deepEqual(reportIn(message), report);
  clock.advance(DAY);
  await relay.stop();
  assert.equal(sink.messages.length, 2);
});

test("a report goes out within an hour of a clock that is set to its time", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  clock.step(DUE - clock.now());
  await untilDue(clock, relay);
  clock.advance(HOUR);
  await relay.happened("tls_report.sent");
  assert.equal((await sink.waitFor(2)).length, 2);
});

test("what was counted by a clock that was 400 days ahead is not reported", async (t) => {
  const { clock, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  clock.step(400 * DAY);
  await mail(relay);
  await relay.happened("delivery.done");
  clock.step(-400 * DAY);
  await mail(relay);
  await relay.happened("delivery.done", 2);
  await untilDue(clock, relay);
  await relay.happened("tls_report.sent");
  await relay.stop();
  assert.equal(relay.log.named("tls_report.sent").length, 1);
  assert.deepEqual(await readdir(join(relay.directory, "spool", "tls-reports")), []);
});

test("a restart forgets nothing, and sends nothing twice", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const first = await start();
  await mail(first);
  await first.happened("delivery.done");
  await first.stop();
  const second = await start(first.directory);
  await mail(second);
  await second.happened("delivery.done");
  await second.stop();
  clock.advance(DUE + HOUR - clock.now());
  const third = await start(first.directory);
  clock.advance(0);
  await third.happened("tls_report.sent");
  const [, , message] = await sink.waitFor(3);
  assert.ok(message !== undefined);
  assert.deepEqual(policiesIn(reportIn(message))[0]?.["summary"], summary(2, 0));
  await third.stop();
  const fourth = await start(first.directory);
  clock.advance(HOUR);
  await fourth.stop();
  assert.deepEqual(fourth.log.named("tls_report.sent"), []);
  assert.equal(sink.messages.length, 3);
});

test("a crash loses at most the last minute", async (t) => {
  const { clock, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  const directory = join(relay.directory, "spool/tls-reports");
  await assert.rejects(readdir(directory), /ENOENT/);
  clock.advance(60_000);
  const file = join(directory, "2026-11-22.json");
  let text = "";
  while (text === "") text = await readFile(file, "utf8").catch(() => "");
  assert.match(text, /"successful":1,/);
});

test("sessions of two days are in two reports", async (t) => {
  const { clock, sink, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  clock.advance(12 * HOUR - 1);
  await mail(relay);
  await relay.happened("delivery.done", 2);
  clock.advance(1);
  await mail(relay);
  await relay.happened("delivery.done", 3);
  await untilDue(clock, relay);
  await relay.happened("tls_report.sent");
  // The session that brought the report is in no report.
  await relay.happened("delivery.done", 4);
  clock.advance(DAY);
  await relay.happened("tls_report.sent", 2);
  const messages = (await sink.waitFor(5)).filter(({ sender }) => sender.startsWith("tls-"));
  const sums = messages.map((message) => policiesIn(reportIn(message))[0]?.["summary"]);
  assert.deepEqual(sums, [summary(2, 0), summary(1, 0)]);
});

for (const [what, setting] of Object.entries({
  "that does not ask": {},
  "that asks, where nobody wants to report": { rua: MAILTO, off: true },
} as const)) {
  test(`nothing is kept of a domain ${what}`, async (t) => {
    const stage = await setUp(t, { shows: right, policy: ENFORCE, ...setting });
    const relay = await stage.start();
    await mail(relay);
    await relay.happened("delivery.done");
    await relay.stop();
    const left = await readdir(join(relay.directory, "spool/tls-reports")).catch(() => []);
    assert.deepEqual(left, []);
  });
}

test("a key that is gone puts the report off, and says so", async (t) => {
  const { clock, start } = await setUp(t, { shows: right, policy: ENFORCE, rua: MAILTO });
  const relay = await start();
  await mail(relay);
  await relay.happened("delivery.done");
  await chmod(join(relay.directory, "dkim.key"), 0o644);
  await untilDue(clock, relay);
  const [failed] = await relay.happened("tls_report.failed");
  assert.match(failed?.error ?? "", /can be used by everybody/);
});
