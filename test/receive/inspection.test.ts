import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbound } from "../../src/authentication/inbound.ts";
import { HeaderBudget } from "../../src/receive/header-budget.ts";
import { Inspection } from "../../src/receive/inspection.ts";
import { LoopShare } from "../../src/smtp/loop-share.ts";
import { manualClock } from "../support/clock.ts";
import { recordingLog, resolverAnswering } from "../support/services.ts";

const K = 1024;
const resolver = resolverAnswering({ kind: "no-such-name" });
const clock = manualClock();

function services(strangers: HeaderBudget) {
  return {
    receivedHeadersMax: 100,
    resolver,
    clock,
    log: recordingLog(),
    share: new LoopShare(),
    headerBudgets: { strangers, relayHosts: new HeaderBudget(1024 * K, 1024 * K) },
    inbound: new Inbound({ hostname: "mx.example.com", policy: "tag" }, { resolver, clock }),
  };
}

function inspect(strangers: HeaderBudget, isRelayed = false): Inspection {
  const client = { address: "192.0.2.1", helo: "client.test" };
  const inspected = {
    client,
    sender: null,
    proofs: [],
    claims: [],
    secrets: [],
    isLocal: true,
    isRelayed,
  };
  return new Inspection(inspected, services(strangers));
}

/** What is kept of the message. */
async function read(inspection: Inspection, text: string): Promise<string> {
  let kept = "";
  for (let at = 0; at < text.length; at += 10_000) {
    const piece = Buffer.from(text.slice(at, at + 10_000));
    kept += inspection.pass(piece)?.toString() ?? "";
    await inspection.examine(piece);
  }
  return kept + (inspection.end()?.toString() ?? "");
}

const fields = (octets: number) => `X-Filler: ${"x".repeat(88)}\r\n`.repeat(octets / 100);

test("while others hold all there is, a long header section comes again later, and a short one passes", async () => {
  const budget = new HeaderBudget(256 * K, 500 * K);
  const holding = inspect(budget);
  await read(holding, fields(200_000));
  assert.ok(budget.held >= 200_000);
  const crowdedOut = inspect(budget);
  const long = `${fields(200_000)}\r\nbody\r\n`;
  assert.equal(await read(crowdedOut, long), long, "it is read to its end");
  const { refusal } = await crowdedOut.judge();
  assert.deepEqual([refusal?.code, refusal?.enhanced], [452, "4.3.1"]);

  const ordinary = inspect(budget);
  await read(ordinary, `${fields(5000)}\r\nbody\r\n`);
  assert.equal((await ordinary.judge()).refusal, undefined);

  holding.abort();
  const next = inspect(budget);
  await read(next, long);
  assert.equal((await next.judge()).refusal, undefined);
  assert.equal(budget.held, 0);
});

test("nothing is held of a header section that is longer than what is examined, nor behind its end", async () => {
  const budget = new HeaderBudget(256 * K, 64 * 1024 * K);
  const endless = inspect(budget);
  await read(endless, fields(200_000));
  assert.ok(budget.held >= 200_000 && budget.held <= 256 * K, `${budget.held}`);
  await read(endless, fields(200_000));
  assert.equal(budget.held, 0);

  const inBody = inspect(budget);
  await read(inBody, `${fields(200_000)}\r\nbody`);
  assert.equal(budget.held, 0);

  const relayed = inspect(budget, true);
  await read(relayed, fields(200_000));
  assert.equal(budget.held, 0);
});
