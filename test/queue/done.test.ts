// What is done of a message stays done, by the address of mail and by the place of a copy: whatever routers and transports
// are called at the next attempt, whoever leads there, and whatever the chain says of it by then.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import type { RoutedDelivery, Routing } from "../../src/route/route.ts";
import type { JournalEntry } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { delivery, DONE, HOUR, LATER, message, quiet, recipient, runner, START } from "./runner.ts";

const NO = status(550, "1.1", "No such user here");
const REFUSED: Outcome = { kind: "failed", status: status(550, "7.1", "go away") };

const smtp = (address: string, given: Partial<RoutedDelivery> = {}): RoutedDelivery => ({
  ...delivery(address, "smtp"),
  ...given,
});
/** A copy into the Maildir of this name. */
const copy = (address: string, maildir: string, given: Partial<RoutedDelivery> = {}) => ({
  ...delivery(address, "file"),
  account: { localPart: maildir },
  ...given,
});

function failed(address: string, router = ""): Partial<Routing> {
  const trouble = { kind: "failed", router, unseen: false, status: NO } as const;
  return { deliveries: [], troubles: [{ ...trouble, mailbox: mailbox(address) }] };
}

const mailTo = (...addresses: readonly string[]): Partial<Routing> => ({
  deliveries: addresses.map((address) => smtp(address)),
});

function joined(...parts: readonly Partial<Routing>[]): Partial<Routing> {
  return {
    deliveries: parts.flatMap(({ deliveries = [] }) => deliveries),
    troubles: parts.flatMap(({ troubles = [] }) => troubles),
  };
}

/** Takes everything but what is for two.example, for now. */
const hosts = { isDown: true };
const answer = (to: readonly string[]): Outcome =>
  hosts.isDown && to.some((address) => address.endsWith("@two.example")) ? LATER : DONE;

/** Two attempts of a message to `to`, the second an hour later, when the chain says something else. */
async function attempts(
  to: readonly string[],
  first: (address: string) => Partial<Routing>,
  then: (address: string) => Partial<Routing>,
  journal: readonly JournalEntry[] = [],
) {
  hosts.isDown = true;
  let chain = first;
  const recipients = to.map((address, position) => recipient(position, address));
  const run = runner(
    [message("a", { recipients, journal })],
    (batch) => answer(batch.recipients.map((one) => one.mailbox.address)),
    (address) => chain(address),
    ({ mailbox: { domain } }) => domain,
  );
  run.queue.wake();
  await quiet();
  const before = run.batches.length;
  chain = then;
  hosts.isDown = false;
  run.clock.advance(HOUR);
  await quiet();
  return { ...run, second: run.batches.slice(before) };
}

const TEAM = "team@example.com";
const both = () => mailTo("alice@example.com", "y@two.example");

describe("mail that was delivered to an address", () => {
  const changes: Readonly<Record<string, () => Partial<Routing>>> = {
    "that is no account any more": () =>
      joined(failed("alice@example.com"), mailTo("y@two.example")),
    "that a router fails": () =>
      joined(failed("alice@example.com", "aliases"), mailTo("y@two.example")),
    "that another router takes": () => ({
      deliveries: [smtp("alice@example.com", { router: "new" }), smtp("y@two.example")],
    }),
    "that is written in another way": () => ({
      deliveries: [
        smtp("alice@EXAMPLE.com"),
        smtp("alice@example.com", {
          mailbox: { ...mailbox("alice@example.com"), address: '"alice"@example.com' },
        }),
        smtp("y@two.example"),
      ],
    }),
    "whose router cannot tell": () => ({
      deliveries: [smtp("y@two.example")],
      troubles: [
        {
          kind: "deferred",
          mailbox: mailbox("alice@example.com"),
          router: "r",
          unseen: false,
          status: status(451, "3.0", "x"),
        },
      ],
    }),
  };
  for (const [what, then] of Object.entries(changes)) {
    test(`${what} is neither bounced nor delivered again`, async () => {
      const { second, log, spool } = await attempts([TEAM], both, then);
      assert.deepEqual(second, ["y@two.example"]);
      assert.deepEqual(log.named("message.bounced"), []);
      assert.deepEqual(log.named("delivery.failed"), []);
      assert.equal(spool.held.size, 0);
    });
  }

  test("is not delivered again by another transport", async () => {
    const { second, spool } = await attempts([TEAM], both, () => ({
      deliveries: [smtp("alice@example.com", { transport: "out" }), smtp("y@two.example")],
    }));
    assert.deepEqual(second, ["y@two.example"]);
    assert.equal(spool.held.size, 0);
  });

  test("is not delivered again because another recipient leads there now", async () => {
    const first = (address: string) =>
      address === TEAM ? mailTo("x@one.example") : mailTo("y@two.example");
    const { second, spool, log } = await attempts([TEAM, "sales@example.com"], first, () =>
      mailTo("x@one.example"),
    );
    assert.deepEqual(second, []);
    assert.equal(spool.held.size, 0);
    assert.deepEqual(log.named("message.bounced"), []);
  });

  test("counts as done when the journal is all that a crash has left", async () => {
    const entry: JournalEntry = {
      target: "alice@example.com",
      outcome: "delivered",
      at: START,
      position: 0,
      address: "Alice@example.com",
      router: "world",
      transport: "smtp",
    };
    const { batches, log } = await attempts([TEAM], both, both, [entry]);
    assert.deepEqual(batches, ["y@two.example", "y@two.example"]);
    assert.deepEqual(log.named("message.bounced"), []);
  });

  test("is no part of what is reported when the rest fails", async () => {
    const { log, spool } = await attempts([TEAM, "x@one.example"], both, (address) =>
      address === TEAM ? failed("y@two.example", "aliases") : mailTo(address),
    );
    // To the postmaster: the alias has reached somebody.
    assert.deepEqual(log.named("message.bounced"), []);
    const sender = "<alice@example.org>";
    assert.deepEqual(log.named("message.listed"), [
      { id: "a", sender, recipients: [TEAM], why: "alias-member" },
    ]);
    assert.deepEqual(
      log.named("delivery.failed").map((one) => Object.entries(one ?? {})[1]),
      [["recipient", "y@two.example"]],
    );
    assert.equal(spool.held.has("a"), false);
  });
});

describe("a copy that was made in a Maildir", () => {
  const mail = smtp("y@two.example");
  const first = () => ({ deliveries: [copy(TEAM, "alice"), mail] });

  test("is not made there again by a router or a transport of another name, or for another address", async () => {
    for (const again of [
      copy(TEAM, "alice", { router: "renamed" }),
      copy(TEAM, "alice", { transport: "store" }),
      copy("alice+x@example.com", "alice", { router: "renamed", transport: "store" }),
    ]) {
      const { second, spool } = await attempts([TEAM], first, () => ({
        deliveries: [again, mail],
      }));
      assert.deepEqual(second, ["y@two.example"]);
      assert.equal(spool.held.size, 0);
    }
  });

  test("is made in another one", async () => {
    const { second } = await attempts([TEAM], first, () => ({
      deliveries: [copy(TEAM, "bob"), mail],
    }));
    assert.deepEqual(second, [`copy ${TEAM}`, "y@two.example"]);
  });

  test("by a version that noted its names only is not made again", async () => {
    const entry: JournalEntry = {
      unseen: true,
      target: `${TEAM}\nfile\nfile`,
      outcome: "delivered",
      at: START,
      position: 0,
      address: TEAM,
      router: "file",
      transport: "file",
    };
    const { batches } = await attempts([TEAM], first, first, [entry]);
    assert.deepEqual(batches, ["y@two.example", "y@two.example"]);
  });
});

describe("an address that several recipients lead to", () => {
  const to = ["team+1@example.com", "team+2@example.com", "x@one.example"];
  const members = ["x@one.example", "bob@example.com"];
  const leadsTo = (address: string) =>
    mailTo(...(address.startsWith("team") ? members : [address]));
  const alsoSlow = (address: string) =>
    joined(leadsTo(address), address.startsWith("team") ? mailTo("y@two.example") : {});

  test("is delivered to once, and each recipient is done", async () => {
    const { batches, log, spool } = await attempts(to, leadsTo, leadsTo);
    assert.deepEqual(batches, ["x@one.example", "bob@example.com"]);
    assert.equal(log.named("delivery.done").length, 2);
    assert.deepEqual(
      spool.noted.map(({ target }) => target),
      members,
    );
    assert.equal(spool.held.size, 0);
  });

  test("keeps each of them waiting while it is deferred", async () => {
    const { second, spool, log } = await attempts(to, alsoSlow, alsoSlow);
    assert.deepEqual(second, ["y@two.example"]);
    assert.equal(log.named("delivery.deferred").length, 1);
    const [settled] = spool.settled;
    assert.deepEqual(
      settled?.recipients.map(({ state }) => state),
      ["pending", "pending", "delivered"],
    );
    assert.equal(spool.held.size, 0);
  });

  test("that fails is journalled and logged once, and each recipient is in the one report", async () => {
    const recipients = to.map((address, position) => recipient(position, address));
    const { queue, log, spool } = runner(
      [message("a", { recipients })],
      (batch) => (batch.envelope.sender === null ? DONE : REFUSED),
      leadsTo,
    );
    queue.wake();
    await quiet();
    assert.equal(log.named("delivery.failed").length, 2);
    assert.deepEqual(log.named("message.bounced").length, 1);
    const [settled] = spool.settled;
    assert.equal(settled?.journal.length, 2);
    const report = settled.reports[0]?.bytes.toString() ?? "";
    for (const address of to) assert.ok(report.includes(address), address);
    assert.equal(report.match(/^Final-Recipient:/gm)?.length, 4);
  });
});

describe("a copy that several recipients lead to", () => {
  const to = ["alice+1@example.com", "alice+2@example.com"];
  test("is made once, names them all, has one clock, and names them all when it comes late", async () => {
    const recipients = to.map((address, position) => recipient(position, address));
    const names: string[][] = [];
    let isFull = true;
    const { queue, clock, spool, batches } = runner(
      [message("a", { recipients })],
      (batch) => {
        if (!batches.at(-1)?.startsWith("copy")) return DONE;
        const [one] = batch.recipients;
        names.push([one?.original, ...(one?.alsoFor ?? [])].map((of) => of?.address ?? ""));
        return isFull ? LATER : DONE;
      },
      (address) => ({ deliveries: [copy(address, "alice"), smtp(address)] }),
    );
    queue.wake();
    await quiet();
    assert.deepEqual(
      spool.settled[0]?.recipients.map(({ state, clocks }) => [state, clocks?.copies.length]),
      [
        ["pending", 1],
        ["delivered", undefined],
      ],
    );
    isFull = false;
    clock.advance(HOUR);
    await quiet();
    assert.deepEqual(names, [to, to]);
    assert.equal(spool.held.size, 0);
  });
});
