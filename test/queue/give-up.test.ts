import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { giveUp } from "../../src/queue/give-up.ts";
import type { SettleServices } from "../../src/settle/settle.ts";
import type {
  AddressFilter,
  JournalEntry,
  StoredMessage,
  StoredRecipient,
} from "../../src/spool/spool.ts";
import { believed } from "../support/clock.ts";
import { envelope, mailbox, storedMessage, storedRecipient } from "../support/build.ts";
import { outboxOf } from "../support/outbox.ts";
import { recordingLog } from "../support/services.ts";

const NOW = Date.UTC(2026, 0, 2);

function recipient(position: number, state: StoredRecipient["state"]): StoredRecipient {
  const address = mailbox(`r${position}@d${position}.test`);
  return storedRecipient({ position, mailbox: address, state, attempts: 1, nextAttempt: NOW });
}

function entry(position: number, given: Partial<JournalEntry>): JournalEntry {
  const address = `r${position}@d${position}.test`;
  const notes = { position, address, router: "r", transport: "t" };
  return { target: address, ...notes, outcome: "delivered", at: NOW, ...given };
}

const COPY_FROZEN = { router: "copy", unseen: true, outcome: "frozen" } as const;
const DONE = { mailDone: true } as const;

async function givenUp(given: Partial<StoredMessage>, only?: AddressFilter) {
  const log = recordingLog();
  const services: SettleServices = {
    hostname: "mx.example.com",
    retry: [],
    replies: [],
    warnAfter: [],
    elapsed: believed,
    returnSizeLimit: 1000,
    outbox: outboxOf(() => "0000000009", log),
    log,
  };
  const message = storedMessage({ recipients: [recipient(0, "pending")], ...given });
  const settlement = await giveUp(message, only, NOW, services);
  const states = settlement.recipients.map(({ position, state }) => `${position} ${state}`);
  const failed = settlement.reports.flatMap(({ bytes }) =>
    [...bytes.toString().matchAll(/^Final-Recipient: rfc822; ?(.*)\r$/gim)].map(([, who]) => who),
  );
  return { settlement, states, failed, log };
}

describe("a message that is given up", () => {
  test("fails for everybody who has not had it, frozen or not, in one report", async () => {
    const recipients = [
      recipient(0, "pending"),
      recipient(1, "delivered"),
      recipient(2, "frozen"),
      recipient(3, "failed"),
    ];
    const { settlement, states, failed } = await givenUp({ recipients });
    assert.deepEqual(states, ["0 failed", "2 failed"]);
    assert.deepEqual(failed, ["r0@d0.test", "r2@d2.test"]);
    assert.equal(settlement.state, "completed");
    assert.match(settlement.reports[0]?.bytes.toString() ?? "", /postmaster has given up/);
  });

  test("does not fail for whom only a copy is left, waiting or frozen", async () => {
    const recipients = [
      { ...recipient(0, "pending"), ...DONE },
      { ...recipient(1, "frozen"), ...DONE },
    ];
    const journal = [entry(1, {}), entry(1, COPY_FROZEN)];
    const { settlement, states, failed } = await givenUp({ recipients, journal });
    assert.deepEqual([states, failed], [["0 delivered", "1 delivered"], []]);
    assert.equal(settlement.state, "completed");
  });

  test("fails for whom the mail is left beside a frozen copy", async () => {
    const { settlement, failed } = await givenUp({ journal: [entry(0, COPY_FROZEN)] });
    assert.deepEqual([failed, settlement.state], [["r0@d0.test"], "completed"]);
  });

  test("goes on for the recipients that are not meant", async () => {
    const recipients = [recipient(0, "pending"), recipient(1, "pending")];
    const { settlement, states } = await givenUp({ recipients }, { domain: "d1.test" });
    assert.deepEqual([states, settlement.state], [["1 failed"], "queued"]);
    const nobody = await givenUp({ recipients }, { domain: "d1.test", localPart: "r0" });
    assert.deepEqual(nobody.states, []);
    const caseless = await givenUp({ recipients }, { domain: "d1.test", localPart: "R1" });
    assert.deepEqual(caseless.states, ["1 failed"]);
  });

  test("from the null sender is discarded, and the log says so", async () => {
    const { settlement, log } = await givenUp({ envelope: envelope({ sender: null }) });
    assert.deepEqual([settlement.state, settlement.reports], ["completed", []]);
    assert.equal(log.named("recipient.discarded").length, 1);
    assert.deepEqual(log.named("message.bounced"), []);
  });
});
