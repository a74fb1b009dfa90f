// Addresses whose mail has had its end, and that lead elsewhere at the next attempt: an account that has become an alias,
// an alias that has become an account or has other members. And addresses that differ by case alone.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { type ChainRouter, createRoute } from "../../src/route/route.ts";
import type { JournalEntry, StoredRecipient } from "../../src/spool/spool.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import { DONE, HOUR, LATER, message, quiet, recipient, runner, START } from "./runner.ts";

type Aliases = Readonly<Record<string, readonly string[]>>;

const OURS = "example.com";
const gate = { isLocal: (domain: string) => Promise.resolve(domain === OURS) };

/** What a redirect router and an accounts router make of the aliases of the moment; all else goes to the world. */
function chainOf(aliases: () => Aliases, copies: boolean): ChainRouter[] {
  const plain = { unseen: false, more: true, preconditions: [] };
  return [
    {
      ...plain,
      name: "aliases",
      router: {
        route({ mailbox: { localPart, domain } }) {
          const to = domain === OURS ? aliases()[localPart.toLowerCase()] : undefined;
          return to === undefined
            ? { kind: "decline" }
            : { kind: "redirect", to: to.map((address) => mailbox(address)) };
        },
      },
    },
    ...(copies
      ? [
          {
            ...plain,
            name: "copies",
            unseen: true,
            router: {
              route: ({ mailbox: { domain } }) =>
                domain === OURS
                  ? ({ kind: "accept", transport: "file" } as const)
                  : ({ kind: "decline" } as const),
            },
          } satisfies ChainRouter,
        ]
      : []),
    { ...plain, name: "world", router: { route: () => ({ kind: "accept", transport: "smtp" }) } },
  ];
}

interface Given {
  readonly to: readonly string[];
  readonly first?: Aliases;
  readonly later?: Aliases;
  readonly journal?: readonly JournalEntry[];
  readonly recipients?: readonly StoredRecipient[];
  /** Copies are made, and the first one fails. */
  readonly copies?: boolean;
}

/** Two attempts, with other aliases at the second. At the first one, two.example takes nothing. */
async function attempts({ to, first = {}, later = first, copies = false, ...stored }: Given) {
  let aliases = first;
  let isDown = true;
  const route = createRoute(
    chainOf(() => aliases, copies),
    recordingLog(),
  );
  const recipients = to.map((address, position) => recipient(position, address));
  const answer = (addresses: readonly string[], isCopy: boolean): Outcome =>
    isDown && (isCopy || addresses.some((one) => one.endsWith("@two.example"))) ? LATER : DONE;
  const run = runner(
    [message("a", { recipients, ...stored })],
    (batch) =>
      answer(
        batch.recipients.map((one) => one.mailbox.address),
        run.batches.at(-1)?.startsWith("copy") === true,
      ),
    undefined,
    ({ mailbox: { domain } }) => domain,
    { route, gate },
  );
  run.queue.wake();
  await quiet();
  const before = run.batches.length;
  aliases = later;
  isDown = false;
  run.clock.advance(HOUR);
  await quiet();
  const { batches, spool, log } = run;
  assert.deepEqual(log.named("delivery.failed"), []);
  assert.equal(spool.held.size, 0, "the message is done");
  return { first: batches.slice(0, before), second: batches.slice(before), run };
}

const delivered = (address: string, given: Partial<JournalEntry> = {}): JournalEntry => ({
  target: address,
  outcome: "delivered",
  at: START,
  position: 0,
  address,
  router: "world",
  transport: "smtp",
  ...given,
});

describe("an address that was delivered to and has become an alias since", () => {
  const SLOW = "y@two.example";
  const bob = { alice: ["bob@example.com"] };

  test("is not sent on, when an alias leads to it", async () => {
    const team = { team: ["alice@example.com", SLOW] };
    const { first, second } = await attempts({
      to: ["team@example.com"],
      first: team,
      later: { ...team, ...bob },
    });
    assert.deepEqual(first, ["alice@example.com", SLOW]);
    assert.deepEqual(second, [SLOW]);
  });

  test("is not sent on, when it is a recipient that is done and another one leads to it now", async () => {
    const { second } = await attempts({
      to: ["alice@example.com", "team@example.com"],
      first: { team: [SLOW] },
      later: { team: ["alice@example.com", SLOW], ...bob },
    });
    assert.deepEqual(second, [SLOW]);
  });

  test("is not sent on, when a crash came between the delivery and its settlement", async () => {
    const { first } = await attempts({
      to: ["alice@example.com"],
      first: bob,
      journal: [delivered("alice@example.com")],
    });
    assert.deepEqual(first, []);
  });

  test("is not sent on to somebody who asks for it in another case", async () => {
    const { first } = await attempts({
      to: ["ALICE@example.com"],
      first: bob,
      journal: [delivered("alice@example.com")],
    });
    assert.deepEqual(first, []);
  });

  test("still gets the copy that waits", async () => {
    const team = { team: ["alice@example.com", SLOW] };
    const { second } = await attempts({ to: ["team@example.com"], first: team, copies: true });
    assert.deepEqual(second.toSorted(), ["copy alice@example.com", SLOW]);
  });

  test("fails nobody by what its entry says now", async () => {
    const { first, run } = await attempts({
      to: ["alice@example.com"],
      first: { alice: ["alice@example.com", "bob@example.com"] },
      journal: [delivered("alice@example.com")],
    });
    assert.deepEqual(first, []);
    assert.deepEqual(run.log.named("recipient.discarded"), []);
  });
});

describe("an alias of its own name", () => {
  const SLOW = "y@two.example";
  const own = { alice: ["alice@example.com", SLOW] };

  test("leads to its other members when its own account has the mail", async () => {
    for (const to of ["alice@example.com", "ALICE@example.com"]) {
      const { first, second, run } = await attempts({ to: [to], first: own });
      assert.deepEqual(first, ["alice@example.com", SLOW], to);
      assert.deepEqual(second, [SLOW], to);
      assert.deepEqual(
        run.spool.noted.map(({ target, homonym }) => [target, homonym]),
        [
          ["alice@example.com", true],
          [SLOW, undefined],
        ],
        to,
      );
    }
  });

  test("is followed for a journal that does not say whether it was one", async () => {
    const entry = delivered("alice@example.com", { homonym: true });
    const { first } = await attempts({ to: ["alice@example.com"], first: own, journal: [entry] });
    assert.deepEqual(first, [SLOW]);
  });

  test("that is an alias no more gives its account no second one", async () => {
    const { second } = await attempts({ to: ["alice@example.com"], first: own, later: {} });
    assert.deepEqual(second, []);
  });
});

describe("an alias whose members have the mail in part", () => {
  const SLOW = "y@two.example";
  const team = { team: ["x@one.example", SLOW] };

  test("and that has other members now serves those who have not got it", async () => {
    const { second } = await attempts({
      to: ["team@example.com"],
      first: team,
      later: { team: ["x@one.example", "z@three.example"] },
    });
    assert.deepEqual(second, ["z@three.example"]);
  });

  test("and that is an account now gets it there: it was not done", async () => {
    const { second } = await attempts({ to: ["team@example.com"], first: team, later: {} });
    assert.deepEqual(second, ["team@example.com"]);
  });

  test("is done, when all of them had it, for another that leads there", async () => {
    const { second } = await attempts({
      to: ["team@example.com", "sales@example.com"],
      first: { team: ["x@one.example"], sales: ["team@example.com", SLOW] },
      later: { sales: ["team@example.com", SLOW] },
    });
    assert.deepEqual(second, [SLOW]);
  });
});

describe("addresses that differ by the case of their local part", () => {
  test("are one in a domain of ours, by whatever way they come", async () => {
    const { first, run } = await attempts({
      to: ["Alice@example.com", "alice@example.com", "team@example.com"],
      first: { team: ["ALICE@Example.com"] },
    });
    assert.deepEqual(first, ["Alice@example.com"]);
    assert.equal(run.log.named("delivery.done").length, 1);
  });

  test("are two in a domain of others, and each goes out as it was written", async () => {
    const { first } = await attempts({ to: ["Alice@one.example", "alice@one.example"] });
    assert.deepEqual(first, ["Alice@one.example alice@one.example"]);
  });

  test("are one for a journal of whatever version, in a domain of ours alone", async () => {
    for (const [done, to, expected] of [
      ["ALICE@example.com", "alice@example.com", []],
      ["alice@example.com", "ALICE@example.com", []],
      ["ALICE@one.example", "alice@one.example", ["alice@one.example"]],
    ] as const) {
      const { first } = await attempts({ to: [to], journal: [delivered(done)] });
      assert.deepEqual(first, expected, to);
    }
  });

  test("are two outside of ASCII: K and the Kelvin sign are not one", async () => {
    const { first } = await attempts({ to: ["k@example.com", "\u{212A}@example.com"] });
    assert.deepEqual(first, ["k@example.com \u{212A}@example.com"]);
  });
});
