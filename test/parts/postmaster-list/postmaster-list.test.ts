import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postmasterOf } from "../../../src/config/configuration.ts";
import { PostmasterList } from "../../../src/parts/postmaster-list/postmaster-list.ts";
import { Outbox } from "../../../src/outbox/outbox.ts";
import type { ListedWhy, ListEntry } from "../../../src/spool/spool.ts";
import { load, RIGHT, write } from "../../config/configuration.ts";
import { bytesOf, inPlace, type Place, settled, store } from "../../spool/sqlite/place.ts";
import { manualClock, type ManualClock } from "../../support/clock.ts";

const HOUR = 3_600_000;

function entryAt(at: number, why: ListedWhy = "unvouched"): ListEntry {
  return {
    why,
    at,
    id: "0000000abc",
    sender: "<ceo@forged.test>",
    recipient: "carol@example.com",
    status: "550 5.7.1 spam",
  };
}

function configurationOf(line = "") {
  return load(write("routers.toml", RIGHT.replace("[relay]", `[relay]\n${line}`)));
}

interface Played {
  readonly clock: ManualClock;
  readonly list: PostmasterList;
  readonly log: Place["log"];
  readonly add: (...listed: readonly ListEntry[]) => Promise<void>;
  /** Every message that is on its way to the postmaster. */
  readonly sent: () => Promise<readonly string[]>;
  /** Until what the clock has begun is done. */
  readonly settledDown: () => Promise<void>;
}

async function played(play: (played: Played) => Promise<void>, start?: number): Promise<void> {
  await inPlace(async ({ open, log }) => {
    const clock = manualClock(start);
    const spool = await open();
    const configuration = await configurationOf();
    const queue = { wake: () => undefined };
    const outbox = new Outbox(configuration.relay, { spool, log, ...queue });
    const { hostname } = configuration.relay;
    const settings = { hostname, postmaster: postmasterOf(configuration) };
    const list = new PostmasterList({ clock, log }, settings, { spool, outbox, ...queue });
    const { envelope } = await store(spool, "x", true);
    await play({
      clock,
      list,
      log,
      add: (...listed) => spool.settle(settled(envelope.id, "active", { listed })),
      async sent() {
        const messages = await spool.take(Number.MAX_SAFE_INTEGER, 10);
        return Promise.all(messages.map(async (one) => (await bytesOf(one)).toString()));
      },
      settledDown: () => list.passed(),
    });
    await list.close();
    assert.equal(clock.pending, 0);
    await spool.close();
  });
}

describe("the postmaster's list", () => {
  it("is one message, a day after its first entry, and says who has not had what", () =>
    played(async ({ clock, list, log, add, sent, settledDown }) => {
      list.start();
      const first = clock.now();
      await add(entryAt(first), {
        ...entryAt(first, "alias-member"),
        recipient: "gone@example.com",
        original: "team@example.com",
        status: "550 5.1.1 No such user here",
      });
      clock.advance(23 * HOUR);
      await settledDown();
      assert.deepEqual(await sent(), []);
      await add(entryAt(clock.now()));
      clock.advance(HOUR);
      await settledDown();
      const [message = "", ...more] = await sent();
      assert.deepEqual(more, []);
      assert.match(message, /^From: Mail Delivery System <MAILER-DAEMON@mx\.example\.com>\r$/m);
      assert.match(message, /^To: postmaster@example\.com\r$/m);
      assert.match(message, /^Subject: Mail that was not delivered: 3 recipients/m);
      assert.match(message, /^Auto-Submitted: auto-generated\r$/m);
      assert.match(message, /The address of the sender is not proven/);
      assert.match(message, /^ {2}carol@example\.com\r$/m);
      assert.match(message, /from <ceo@forged\.test>, Thu, 1 Jan 2026|0000000abc/);
      assert.match(message, /550 5\.7\.1 spam/);
      assert.match(message, /^ {2}gone@example\.com\r\n {4}\(written to team@example\.com\)\r$/m);
      assert.doesNotMatch(message, /[^\r]\n|[^\0-\x7f]/);
      const sentId = /^Message-ID: <(\w+)@mx\.example\.com>\r$/m.exec(message)?.[1];
      assert.deepEqual(log.named("postmaster.list_sent"), [
        { id: sentId, to: "postmaster@example.com", entries: 3 },
      ]);
      clock.advance(48 * HOUR);
      await settledDown();
      assert.deepEqual(await sent(), [], "nothing new, no message");
    }));

  it("comes at the start when it was due while the relay did not run", () =>
    played(async ({ clock, list, add, sent, settledDown }) => {
      await add(entryAt(clock.now() - 25 * HOUR));
      list.start();
      await settledDown();
      assert.equal((await sent()).length, 1);
    }));

  it("believes no time that lies ahead", () =>
    played(async ({ clock, list, add, sent, settledDown }) => {
      await add(entryAt(clock.now() + 400 * 24 * HOUR));
      list.start();
      await settledDown();
      assert.equal((await sent()).length, 1);
    }));

  it("is bounded, and counts what it does not name", () =>
    played(async ({ clock, list, add, sent, settledDown }) => {
      const wordy = { ...entryAt(clock.now() - 25 * HOUR), status: "no ".repeat(2000) };
      await add(...Array.from({ length: 1000 }, () => wordy));
      list.start();
      await settledDown();
      const [message = ""] = await sent();
      assert.ok(message.length < 40_000, String(message.length));
      const named = message.match(/carol@example\.com/g)?.length ?? 0;
      assert.ok(named > 20, String(named));
      assert.match(message, new RegExp(`and ${1000 - named} more`));
      assert.match(message, /^Subject: Mail that was not delivered: 1000 recipients/m);
    }));

  it("lets nobody write a header or a line of it", () =>
    played(async ({ clock, list, add, sent, settledDown }) => {
      const status = "550 a\r\nBcc: x@y.test\r\n\r\n.\r\n\u{202e}\u{85}\u{7}evil";
      await add({ ...entryAt(clock.now() - 25 * HOUR), status });
      list.start();
      await settledDown();
      const [message = ""] = await sent();
      assert.match(message, /550 a Bcc: x@y\.test \. evil/);
    }));
});

describe("who the postmaster is", () => {
  it("is written down, or the postmaster of the first local domain", async () => {
    assert.equal(postmasterOf(await configurationOf()).address, "postmaster@example.com");
    const written = await configurationOf('postmaster = "root@admin.example.net"');
    assert.equal(postmasterOf(written).address, "root@admin.example.net");
  });
});
