// Who is sent a bounce: a sender for whom somebody vouches. Of all others the postmaster hears.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LETTER as LETTER_OF_ALICE, rsaKey, signed } from "../receive/authentication/signing.ts";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { LETTER, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\npermfail\ntempfail\npostmaster\n" };
const STRANGER = "127.0.0.9";
const CAROL = rsaKey();
const LETTER_OF_CAROL = LETTER_OF_ALICE.replace("alice@example.com", "carol@example.net");
const SIGNED = signed(LETTER_OF_CAROL, { key: CAROL, domain: "example.net" });

const dns = {
  "example.net": { TXT: ["v=spf1 ip4:127.0.0.9 -all"] },
  "strict.test": { TXT: ["v=spf1 -all"] },
  "sel._domainkey.example.net": { TXT: [CAROL.record] },
  fail: { "silent.test": "SERVFAIL" },
} as const;

interface Options {
  readonly config?: (text: string) => string;
  readonly clock?: ReturnType<typeof manualClock>;
}

function start(google: Sink, world: Sink, { config = (text) => text, clock }: Options = {}) {
  const text = config(workspaceConfig(google.port, world.port));
  return startTestRelay({ config: text, files, dns, ...(clock && { clock }) });
}

async function refused(
  relay: TestRelay,
  sender: string,
  letter = LETTER,
  by = STRANGER,
  to = "permfail@example.com",
): Promise<void> {
  using client = await relay.connect(by);
  await send(client, sender, [`<${to}>`], letter);
}

const WITH_POLICY = (text: string) =>
  text.replace("[[gate.relay]]", '[gate.authentication]\npolicy = "tag"\n[[gate.relay]]');

const TO_ALL = (text: string) => `${text}\n[bounce]\nbounce_to = "all"\n`;
const SOON = (text: string) =>
  `${text}\n[[retry]]\nrules = "F,8d,1h"\n[bounce]\nwarn_after = ["10m"]\n`;

for (const [when, config] of [
  ["asked when the bounce is due", (text: string) => text],
  ["known since the message came", WITH_POLICY],
] as const) {
  describe(`a sender for whom somebody vouches, ${when}`, () => {
    for (const [what, sender, letter, by] of [
      ["SPF of its domain", "<carol@example.net>", LETTER, STRANGER],
      ["a signature of its domain", "<carol@sub.example.net>", SIGNED, "127.0.0.8"],
    ] as const) {
      test(`is told: ${what}`, async () => {
        await using google = await startSink();
        await using world = await startSink();
        await using relay = await start(google, world, { config });
        await refused(relay, sender, letter, by);
        const [bounce] = await world.waitFor(1);
        assert.deepEqual(bounce?.recipients, [sender.slice(1, -1)]);
        await relay.happened("message.completed", 2);
        assert.deepEqual((await relay.relay.spool.listed()).entries, []);
      });
    }

    for (const [what, sender, letter, by] of [
      ["nothing", "<carol@nowhere.test>", LETTER, STRANGER],
      ["an SPF policy that denies it", "<carol@strict.test>", LETTER, STRANGER],
      ["SPF of another client", "<carol@example.net>", LETTER, "127.0.0.8"],
      ["a signature of somebody else", "<carol@strict.test>", SIGNED, STRANGER],
      ["a broken signature", "<carol@sub.example.net>", `${SIGNED}x\r\n`, "127.0.0.8"],
      ["to be alice, of whom only a relay rule can know", "<alice@example.com>", LETTER, STRANGER],
    ] as const) {
      test(`is not told, but the postmaster is: ${what}`, async () => {
        await using google = await startSink();
        await using world = await startSink();
        await using relay = await start(google, world, { config });
        await refused(relay, sender, letter, by);
        await relay.happened("message.completed");
        await relay.relay.queue.passed();
        const [listed] = relay.log.named("message.listed");
        assert.deepEqual(listed?.recipients, ["permfail@example.com"]);
        assert.equal(listed.why, "unvouched");
        const [entry, ...others] = (await relay.relay.spool.listed()).entries;
        assert.deepEqual(others, []);
        assert.equal(entry?.sender, sender.slice(1, -1));
        assert.match(entry.status, /^5\d\d /);
        assert.equal(await relay.relay.spool.count(), 0);
        assert.equal(relay.log.named("message.bounced").length, 0);
        assert.deepEqual([...world.messages, ...google.messages], []);
      });
    }
  });
}

test("a client of a relay rule is told without a question to the DNS", async () => {
  await using google = await startSink();
  await using world = await startSink();
  await using relay = await start(google, world);
  await refused(relay, "<alice@example.com>", LETTER, "127.0.0.1", "permfail@example.org");
  const [bounce] = await google.waitFor(1);
  assert.deepEqual(bounce?.recipients, ["alice@example.com"]);
  assert.deepEqual(relay.dns.queries, []);
});

test('with bounce_to = "all" every sender is told', async () => {
  await using google = await startSink();
  await using world = await startSink();
  await using relay = await start(google, world, { config: TO_ALL });
  await refused(relay, "<carol@strict.test>");
  const [bounce] = await world.waitFor(1);
  assert.deepEqual(bounce?.recipients, ["carol@strict.test"]);
});

test("while the DNS does not answer nothing is bounced; when it does, the sender is told", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const clock = manualClock();
  await using relay = await start(google, world, { clock });
  await refused(relay, "<carol@silent.test>");
  const [putOff] = await relay.happened("bounce.put_off");
  assert.equal(putOff?.next_attempt, new Date(clock.now() + 900_000).toISOString());
  assert.equal(relay.log.named("message.listed").length, 0);
  assert.equal(relay.log.named("delivery.failed").length, 0);
  await relay.relay.queue.passed();
  relay.dns.set({ "silent.test": { TXT: ["v=spf1 ip4:127.0.0.9 -all"] } });
  clock.advance(900_000);
  relay.relay.queue.wake();
  const [bounce] = await world.waitFor(1);
  assert.deepEqual(bounce?.recipients, ["carol@silent.test"]);
});

test("a DNS that never answers has an end: the postmaster hears of it", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const clock = manualClock();
  await using relay = await start(google, world, { clock });
  await refused(relay, "<carol@silent.test>");
  for (const [index, minutes] of [15, 60, 240, 960].entries()) {
    const putOff = await relay.happened("bounce.put_off", index + 1);
    const wanted = new Date(clock.now() + minutes * 60_000).toISOString();
    assert.equal(putOff.at(-1)?.next_attempt, wanted);
    await relay.relay.queue.passed();
    clock.advance(minutes * 60_000);
    relay.relay.queue.wake();
  }
  await relay.happened("message.completed");
  await relay.relay.queue.passed();
  assert.equal((await relay.relay.spool.listed()).entries.length, 1);
  assert.deepEqual(world.messages, []);
});

test("a delay is told to those only for whom somebody vouches", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const clock = manualClock();
  await using relay = await start(google, world, { config: SOON, clock });
  await refused(relay, "<carol@example.net>", LETTER, STRANGER, "tempfail@example.com");
  await refused(relay, "<carol@strict.test>", LETTER, STRANGER, "tempfail@example.com");
  await relay.happened("delivery.deferred", 2);
  await relay.relay.queue.passed();
  clock.advance(2 * 3_600_000);
  relay.relay.queue.wake();
  await relay.happened("delivery.deferred", 4);
  const warnings = await world.waitFor(1);
  await relay.relay.queue.passed();
  assert.deepEqual(
    warnings.map(({ recipients }) => recipients),
    [["carol@example.net"]],
  );
  assert.equal(relay.log.named("message.reported").length, 1);
});

test("a day later the postmaster has a message with what nobody else was told", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const clock = manualClock();
  await using relay = await start(google, world, { clock });
  await refused(relay, "<carol@strict.test>");
  await relay.happened("message.completed");
  await relay.relay.queue.passed();
  clock.advance(25 * 3_600_000);
  const [message] = await google.waitFor(1);
  assert.deepEqual(message?.recipients, ["postmaster@example.com"]);
  const text = message.raw.toString();
  assert.match(text, /^ {2}permfail@example\.com\r$/m);
  assert.match(text, /from <carol@strict\.test>/);
  await relay.happened("message.completed", 2);
  assert.equal((await relay.copies("mail/example.com/postmaster")).length, 1);
});
