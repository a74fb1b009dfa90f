import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scanner } from "../../../src/contract/scanner.ts";
import { Inbound } from "../../../src/receive/authentication/inbound.ts";
import { HeaderBudget } from "../../../src/receive/header/header-budget.ts";
import { builtInScanners } from "../../../src/receive/content/built-in.ts";
import { Inspection } from "../../../src/receive/content/content.ts";
import type { Inspected } from "../../../src/receive/content/inspected.ts";
import type { DomainList } from "../../../src/lists/lists.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { statusLine } from "../../../src/mail/status.ts";
import { manualClock } from "../../support/clock.ts";
import { recordingLog, resolverAnswering } from "../../support/services.ts";

const K = 1024;
const resolver = resolverAnswering({ kind: "no-such-name" });
const clock = manualClock();

function services(strangers: HeaderBudget) {
  const inbound = new Inbound({ hostname: "mx.example.com", policy: "tag" }, { resolver, clock });
  const share = new LoopShare();
  return {
    scanners: builtInScanners({ receivedHeadersMax: 100, resolver, clock, share, inbound }),
    clock,
    log: recordingLog(),
    headerBudgets: { strangers, relayHosts: new HeaderBudget(1024 * K, 1024 * K) },
  };
}

const SECRET = { name: "x-secret", value: "s3cret" };
const PROOF = { headers: [SECRET] };
const FORGED = "Authentication-Results: mx.example.com; dmarc=pass\r\n";
const BELOW = `X-Secret: s3cret\r\n${FORGED}${"Received: x\r\n".repeat(101)}From: a@b.test\r\n\r\nbody\r\n`;

for (const [what, first] of Object.entries({
  "a folded line": " folded\r\n",
  "a line of blanks": "\t\r\n",
  text: "no field\r\n",
  "a word": "word\r\n",
  "a name without a colon": `${"a".repeat(40_000)}\r\n`,
  "an empty line": "\r\n",
})) {
  test(`behind ${what} all is body: it proves nothing, nothing of it is taken out, and it is no hop`, async () => {
    const text = first + BELOW;
    const pieces = [text.split(""), text.match(/.{1,10000}/gsu) ?? [], [text]];
    for (const cut of pieces) {
      const inspection = inspect(new HeaderBudget(256 * K, 500 * K), false, [PROOF]);
      assert.equal(await readPieces(inspection, cut), first === "\r\n" ? text : `\r\n${text}`);
      const { refusal, relayed } = await inspection.judge();
      assert.deepEqual([refusal, relayed], [undefined, false]);
    }
  });
}

for (const first of [
  "X: y\r\n",
  "X: y\r\n folded\r\n",
  `${"a".repeat(3000)}: x\r\n`,
  "From a@b.test\r\n",
]) {
  test(`behind ${first.slice(0, 20).trim()} all is header`, async () => {
    const text = `${first}X-Secret: s3cret\r\n${FORGED}\r\nbody\r\n`;
    for (const cut of [text.split(""), [text]]) {
      const inspection = inspect(new HeaderBudget(256 * K, 500 * K), false, [PROOF]);
      assert.equal(await readPieces(inspection, cut), `${first}\r\nbody\r\n`);
      assert.equal((await inspection.judge()).relayed, undefined);
    }
  });
}

function inspect(
  strangers: HeaderBudget,
  isRelayed = false,
  claims: Inspected["claims"] = [],
): Inspection {
  return new Inspection(inspected(isRelayed, claims), services(strangers));
}

function inspected(isRelayed = false, claims: Inspected["claims"] = []): Inspected {
  return {
    client: { address: "192.0.2.1", helo: "client.test" },
    sender: null,
    recipients: [],
    proofs: [],
    claims,
    secrets: [],
    isLocal: true,
    isRelayed,
  };
}

/** What is kept of the message. */
async function read(inspection: Inspection, text: string): Promise<string> {
  return readPieces(inspection, text.match(/.{1,10000}/gsu) ?? []);
}

async function readPieces(inspection: Inspection, pieces: readonly string[]): Promise<string> {
  const kept = await begin(inspection, pieces);
  return kept + (inspection.end()?.toString() ?? "");
}

/** The same of a message that goes on. */
async function begin(inspection: Inspection, pieces: readonly string[]): Promise<string> {
  let kept = "";
  for (const text of pieces) {
    kept += inspection.pass(Buffer.from(text))?.toString() ?? "";
    await inspection.ready;
  }
  return kept;
}

const fields = (octets: number) => `X-Filler: ${"x".repeat(88)}\r\n`.repeat(octets / 100);

test("while others hold all there is, a long header section comes again later, and a short one passes", async () => {
  const budget = new HeaderBudget(256 * K, 500 * K);
  const holding = inspect(budget);
  await begin(holding, [fields(200_000)]);
  assert.ok(budget.held >= 200_000);
  const crowdedOut = inspect(budget);
  const long = `${fields(200_000)}\r\nbody\r\n`;
  assert.equal(await read(crowdedOut, long), long, "it is read to its end");
  const { refusal } = await crowdedOut.judge();
  assert.deepEqual([refusal?.code, refusal?.enhanced], [452, "4.3.1"]);

  const ordinary = inspect(budget);
  await read(ordinary, `${fields(5000)}\r\nbody\r\n`);
  assert.equal((await ordinary.judge()).refusal, undefined);

  holding.release();
  const next = inspect(budget);
  await read(next, long);
  assert.equal((await next.judge()).refusal, undefined);
  assert.equal(budget.held, 0);
});

test("nothing is held of a header section that is longer than what is examined, nor behind its end", async () => {
  const budget = new HeaderBudget(256 * K, 64 * 1024 * K);
  const endless = inspect(budget);
  await begin(endless, [fields(200_000)]);
  assert.ok(budget.held >= 200_000 && budget.held <= 256 * K, `${budget.held}`);
  await begin(endless, [fields(200_000)]);
  assert.equal(budget.held, 0);

  const inBody = inspect(budget);
  await begin(inBody, [`${fields(200_000)}\r\nbody`]);
  assert.equal(budget.held, 0);

  const relayed = inspect(budget, true);
  await begin(relayed, [fields(200_000)]);
  assert.equal(budget.held, 0);
});

test("a header section that is too long, or a field in it, refuses the message", async () => {
  for (const text of [fields(1100 * K), `X-Secret: ${"x".repeat(60 * K)}\r\nTo: b\r\n\r\n`]) {
    const budget = new HeaderBudget(256 * K, 64 * 1024 * K);
    const inspection = inspect(budget, false, [PROOF]);
    await read(inspection, text);
    const { refusal } = await inspection.judge();
    assert.equal(refusal && statusLine(refusal), "552 5.3.4 The header section is too big");
    assert.equal(budget.held, 0);
  }
});

test("more hops than are allowed refuse it, and nothing more is asked for it", async () => {
  const inspection = inspect(new HeaderBudget(256 * K, 500 * K));
  await read(inspection, `${"Received: x\r\n".repeat(101)}From: a@b.test\r\n\r\n`);
  const { refusal, authentication } = await inspection.judge();
  assert.match(statusLine(refusal ?? assert.fail()), /^550 5\.4\.6 /);
  assert.equal(authentication, undefined);
});

test("a client that a relay rule knows by its certificate does not compete with strangers", async () => {
  const dkim: DomainList = { match: () => ({ kind: "out", why: "" }) };
  const budget = new HeaderBudget(256 * K, 64 * 1024 * K);
  const inspection = inspect(budget, false, [{ dkim }]);
  const signed = "DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=one; h=from; bh=; b=\r\n";
  await read(inspection, `From: a@b.test\r\n${signed}${fields(300_000)}\r\nbody\r\n`);
  assert.match((await inspection.judge()).authentication ?? "", /dkim=(?!none)/);
  assert.equal(budget.held, 0);
});

test("no scanner is asked for its finding before it has taken the last octets", async () => {
  const seen: string[] = [];
  const disk = Promise.withResolvers<void>();
  const scanner: Scanner = {
    name: "slow",
    onError: "pass",
    begin: () => ({
      body: async (piece) => {
        await disk.promise;
        seen.push(piece.toString());
      },
      end() {
        seen.push("end");
        return { kind: "pass" };
      },
    }),
  };
  const budget = new HeaderBudget(256 * K, 500 * K);
  const inspection = new Inspection(inspected(), { ...services(budget), scanners: [scanner] });
  assert.equal(await read(inspection, "word"), "\r\nword");
  const judged = inspection.judge();
  disk.resolve();
  await judged;
  assert.deepEqual(seen, ["word", "end"]);
});
