import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Finding, Scan, Scanner } from "../../../src/contract/scanner.ts";
import { status } from "../../../src/mail/status.ts";
import { beginScans } from "../../../src/receive/content/scans.ts";
import { manualClock } from "../../support/clock.ts";
import { recordingLog } from "../../support/services.ts";

const MESSAGE = {
  client: { address: "192.0.2.1", helo: "client.test" },
  sender: null,
  recipients: [],
  isLocal: true,
  isRelayed: false,
};
const SECTION = { hops: 1, held: "unwanted" } as const;
const PASS: Finding = { kind: "pass" };

const never = () => new Promise<never>(() => undefined);
const rejects = () => Promise.reject(new Error("broken"));
const broken = () => {
  throw new Error("broken");
};

function scanner(name: string, scan: Partial<Scan>, manner: Partial<Scanner> = {}): Scanner {
  return { name, onError: "pass", begin: () => ({ end: () => PASS, ...scan }), ...manner };
}

const refuse = (code: 451 | 550, text: string): Finding => ({
  kind: "refuse",
  status: status(code, "7.1", text),
});
const finds = (name: string, finding: Finding, isLate = false) =>
  scanner(name, { end: () => (isLate ? Promise.resolve(finding) : finding) });

function setUp(...scanners: readonly Scanner[]) {
  const clock = manualClock();
  const log = recordingLog();
  return { clock, log, scans: beginScans(scanners, MESSAGE, { clock, log }) };
}

/** What each scan was given, in order. */
function recording(name: string, heard: string[]): Scanner {
  return scanner(name, {
    header: ({ hops }) => void heard.push(`${name} ${hops}`),
    body: (piece) => void heard.push(`${name} ${piece.toString()}`),
    end() {
      heard.push(`${name} end`);
      return PASS;
    },
    release: () => void heard.push(`${name} release`),
  });
}

test("each scan hears of the header section, the body and the end, and is released once", async () => {
  const heard: string[] = [];
  const { scans } = setUp(recording("a", heard), recording("b", heard));
  scans.header(SECTION);
  await scans.body(Buffer.from("body"));
  assert.deepEqual(await scans.judge(), { fields: "", unknown: [] });
  scans.release();
  const wanted = "a 1, b 1, a body, b body, a end, b end, a release, b release";
  assert.equal(heard.join(", "), wanted);
});

test("a scan that is released before the end hears of nothing more", async () => {
  const heard: string[] = [];
  const { scans } = setUp(recording("a", heard));
  scans.release();
  scans.header(SECTION);
  await scans.body(Buffer.from("body"));
  assert.deepEqual(heard, ["a release"]);
});

test("a scanner whose business the message is not is asked for nothing", async () => {
  const { scans } = setUp(scanner("a", {}, { begin: () => undefined }));
  assert.deepEqual([scans.mayGo, scans.readsHeader, scans.unwanted], [true, false, []]);
  assert.deepEqual(await scans.judge(), { fields: "", unknown: [] });
});

test("a message may begin to go out before its end only if every scan says so", () => {
  const free = scanner("a", { mayGo: () => true });
  assert.equal(setUp(free, free).scans.mayGo, true);
  assert.equal(setUp(free, scanner("b", { mayGo: () => false })).scans.mayGo, false);
  assert.equal(setUp(free, scanner("b", {})).scans.mayGo, false, "silence is no consent");
});

describe("findings", () => {
  test("the fields of all stand on top, in the order of the scanners", async () => {
    const { scans } = setUp(
      finds("a", { kind: "tag", fields: "X-A: 1\r\n", authentication: "spf=pass" }, true),
      finds("b", { kind: "pass", relayed: false }),
      finds("c", { kind: "tag", fields: "X-C: 1\r\n", vouched: true }),
    );
    assert.deepEqual(await scans.judge(), {
      fields: "X-A: 1\r\nX-C: 1\r\n",
      unknown: [],
      authentication: "spf=pass",
      relayed: false,
      vouched: true,
    });
  });

  test("of several refusals that of the first scanner counts, however late it comes", async () => {
    const { scans } = setUp(
      finds("a", PASS),
      finds("b", refuse(550, "late"), true),
      finds("c", refuse(451, "early")),
    );
    assert.equal((await scans.judge()).refusal?.text, "late");
  });

  test("behind a refusal that is there at once nothing is asked any more", async () => {
    const heard: string[] = [];
    const { scans } = setUp(finds("a", refuse(550, "no")), recording("b", heard));
    assert.equal((await scans.judge()).refusal?.text, "no");
    assert.deepEqual(heard, ["b release"]);
  });

  test("a scanner that does not know refuses nothing, and does not hide what others find", async () => {
    const unknown = finds("a", { kind: "unknown", why: "too big" });
    const passed = await setUp(unknown, finds("b", PASS)).scans.judge();
    assert.deepEqual(passed, { fields: "", unknown: ["a: too big"] });
    const refused = await setUp(unknown, finds("b", refuse(550, "virus"))).scans.judge();
    assert.equal(refused.refusal?.text, "virus");
  });
});

describe("a scanner that fails", () => {
  const failures: Readonly<Record<string, Partial<Scan> | "begin">> = {
    "at its begin": "begin",
    "at the header section": { header: broken },
    "in the body": { body: broken },
    "in the body, later": { body: rejects },
    "at the end": { end: broken },
    "at the end, later": { end: rejects },
  };
  for (const [when, failing] of Object.entries(failures)) {
    test(`${when} has no finding: the message passes, or comes again, as it wants`, async () => {
      const begin = failing === "begin" ? { begin: broken } : {};
      const scan = failing === "begin" ? {} : failing;
      for (const onError of ["pass", "defer"] as const) {
        const other: string[] = [];
        const { scans, log } = setUp(
          scanner("bad", scan, { onError, ...begin }),
          recording("good", other),
        );
        scans.header(SECTION);
        await scans.body(Buffer.from("body"));
        const { refusal, unknown } = await scans.judge();
        if (onError === "defer") assert.equal(refusal?.code, 451);
        else assert.deepEqual([refusal, unknown], [undefined, ["bad: Error: broken"]]);
        assert.deepEqual(other.slice(0, 2), ["good 1", "good body"]);
        assert.deepEqual(log.named("relay.error"), [
          { where: "scanner bad", error: "Error: broken" },
        ]);
      }
    });
  }

  test("when it is released fails nothing", async () => {
    const { scans, log } = setUp(scanner("bad", { release: broken }));
    assert.deepEqual(await scans.judge(), { fields: "", unknown: [] });
    assert.equal(log.named("relay.error").length, 1);
  });
});

describe("a scanner that is late", () => {
  test("with a piece is waited for as long as its timeout says, and then not asked any more", async () => {
    const heard: string[] = [];
    const slow = scanner(
      "slow",
      {
        body(piece) {
          heard.push(piece.toString());
          return never();
        },
      },
      { timeout: 20_000 },
    );
    const { scans, clock } = setUp(slow);
    const ready = scans.body(Buffer.from("one"));
    clock.advance(20_000);
    await ready;
    await scans.body(Buffer.from("two"));
    assert.deepEqual(heard, ["one"]);
    const { unknown } = await scans.judge();
    assert.deepEqual(unknown, ["slow: Error: no answer within 20000 ms"]);
  });

  test("with its finding has none", async () => {
    for (const onError of ["pass", "defer"] as const) {
      const slow = scanner("slow", { end: never }, { timeout: 20_000, onError });
      const { scans, clock } = setUp(slow);
      const judgement = scans.judge();
      clock.advance(20_000);
      assert.equal((await judgement).refusal?.code, onError === "defer" ? 451 : undefined);
    }
  });

  test("and answers in time leaves no timer behind", async () => {
    const { scans, clock } = setUp(
      scanner(
        "a",
        { body: () => Promise.resolve(), end: () => Promise.resolve(PASS) },
        { timeout: 1 },
      ),
    );
    await scans.body(Buffer.from("x"));
    await scans.judge();
    assert.equal(clock.pending, 0);
  });
});
