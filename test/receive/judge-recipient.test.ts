import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgeRecipient } from "../../src/receive/judge-recipient.ts";
import type { RoutedDelivery, RouteTrouble } from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox, routedDelivery } from "../support/build.ts";

const team = mailbox("team@example.com");
const UNKNOWN = status(550, "1.1", "No such user here");
const BROKEN = status(451, "3.0", "Temporary local problem");

function delivery(unseen: boolean): RoutedDelivery {
  return routedDelivery(team.address, { transport: unseen ? "copies" : "gmail", unseen });
}

function trouble(kind: RouteTrouble["kind"]): RouteTrouble {
  const mail = mailbox("gone@example.com");
  return {
    kind,
    mailbox: mail,
    router: "",
    unseen: false,
    status: kind === "failed" ? UNKNOWN : BROKEN,
  };
}

async function replyTo(deliveries: RoutedDelivery[], troubles: RouteTrouble[]): Promise<number> {
  const client = { address: "192.0.2.1", helo: "client.test" };
  const { reply } = await judgeRecipient(
    { client, sender: null, recipient: team },
    {
      gate: { judge: () => Promise.resolve({ kind: "accept", rule: "local_domains", why: "" }) },
      route: () => Promise.resolve({ deliveries, troubles, discarded: [] }),
    },
  );
  return reply.code;
}

describe("the reply to RCPT", () => {
  test("an alias that reaches somebody is accepted, whoever of its members is gone", async () => {
    assert.equal(await replyTo([delivery(false)], [trouble("failed")]), 250);
  });

  test("an alias all of whose members are gone is refused", async () => {
    assert.equal(await replyTo([], [trouble("failed"), trouble("failed")]), 550);
  });

  test("a copy is nobody who was reached", async () => {
    assert.equal(await replyTo([delivery(true)], [trouble("failed")]), 550);
  });

  test("trouble of our own makes the client try again, whoever else is reached or gone", async () => {
    assert.equal(await replyTo([delivery(false)], [trouble("deferred")]), 451);
    assert.equal(await replyTo([delivery(false)], [trouble("failed"), trouble("deferred")]), 451);
  });
});
