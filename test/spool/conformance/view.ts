// The queue as relayctl reads it, beside the relay.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QueueView } from "../../../src/spool/queue-view.ts";
import type { AddressFilter, Filter, MessageState } from "../../../src/spool/spool.ts";
import { mailbox } from "../../support/build.ts";
import { hostileIds } from "./orders.ts";
import {
  alice,
  bob,
  bytesOf,
  enter,
  idsOf,
  type InSpool,
  type Place,
  type SetUp,
  stored,
} from "./place.ts";

export function describeView(inSpool: InSpool, setUp: SetUp): void {
  describe("the view of a queue", () => {
    it("is none where no relay has opened a spool yet, and makes none", async () => {
      await using given = await setUp();
      const { engine, directory } = given;
      for (let twice = 0; twice < 2; twice++) {
        assert.equal(await engine.exists(directory), false);
        assert.equal(await engine.view(directory), undefined);
      }
    });
    describeLooking(inSpool);
    describeFilters(inSpool);
    describePages(inSpool);
  });
}

const all = async (view: QueueView, filter: Filter) =>
  (await Array.fromAsync(view.messages(filter, assert.fail))).flat();
const allIds = async (view: QueueView, filter: Filter) =>
  (await Array.fromAsync(view.ids(filter))).flat();

const EMPTY = { messages: 0, bytes: 0 };

function describeLooking(inSpool: InSpool): void {
  it(
    "of an empty spool is empty",
    inSpool(async ({ engine, directory, look }) => {
      assert.equal(await engine.exists(directory), true);
      await look(async (view) => {
        assert.deepEqual(await view.count({}), { active: EMPTY, queued: EMPTY, frozen: EMPTY });
        assert.deepEqual([await all(view, {}), await allIds(view, {})], [[], []]);
        assert.deepEqual(await view.holds(), []);
        assert.equal(await view.message("0000000001"), undefined);
      });
    }),
  );

  it(
    "sees what the relay does meanwhile, and with the spool closed what it has done",
    inSpool(async (place) => {
      const { engine, directory, spool } = place;
      await using view = await engine.view(directory);
      assert.ok(view);
      const { envelope } = await enter(place, { content: "abc" });
      const queued = { messages: 1, bytes: 3 };
      assert.deepEqual((await view.count({})).queued, queued);
      await spool.hold("b.test");
      assert.equal((await view.holds())[0]?.messages, 1);
      await spool.close();
      const counts = await place.look((other) => other.count({}));
      assert.deepEqual(counts, { active: EMPTY, queued, frozen: EMPTY });
      const message = await stored(place, envelope.id);
      assert.ok(message);
      assert.equal((await bytesOf(message)).toString(), "abc");
    }),
  );

  it(
    "shows no message by anything but its id",
    inSpool(async (place) => {
      const { envelope } = await enter(place);
      for (const id of hostileIds(envelope.id).filter((one) => one !== envelope.id)) {
        assert.equal(await stored(place, id), undefined, id.slice(0, 50));
      }
    }),
  );

  it(
    "says which files the relay must be able to write to, below its directory",
    inSpool(async ({ engine, directory }) => {
      for (const file of engine.files(directory)) assert.ok(file.startsWith(`${directory}/`), file);
    }),
  );
}

const STATES: readonly MessageState[] = ["active", "queued", "frozen"];

/** Three of each of four messages, one in each state: 0, 1, 2 to the first, 3, 4, 5 to the second, and so on. */
async function filled(place: Place): Promise<string[]> {
  const ids: string[] = [];
  const messages = [
    { recipients: [{ mailbox: alice }, { mailbox: bob }] },
    { recipients: [{ mailbox: mailbox("Ünï@b.test") }], envelope: { sender: null } },
    { recipients: [{ mailbox: alice }], envelope: { sender: mailbox("x@sub.b.test") } },
    { recipients: [], envelope: { sender: { address: "", localPart: "", domain: "" } } },
  ];
  for (const message of messages) {
    for (const state of STATES) {
      const { envelope } = await enter(place, { ...message, active: state === "active" });
      if (state === "frozen") await place.spool.change("freeze", [envelope.id]);
      ids.push(envelope.id);
      place.clock.advance(10);
    }
  }
  return ids;
}

const address = (localPart: string, domain: string): AddressFilter => ({ localPart, domain });
const START = Date.UTC(2026, 0, 1);

/** Which of the messages fit, if their state is not asked for. */
const FILTERS: readonly (readonly [string, Filter, readonly number[]])[] = [
  ["nothing", {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  ["a recipient", { recipient: address("alice", "example.com") }, [0, 1, 2, 6, 7, 8]],
  ["a recipient without case", { recipient: address("ALICE", "example.com") }, [0, 1, 2, 6, 7, 8]],
  ["a recipient in quotes", { recipient: address("B b", "b.test") }, [0, 1, 2]],
  ["a letter that is not ASCII, whose case counts", { recipient: address("ÜNÏ", "b.test") }, []],
  ["letters around it, whose case does not", { recipient: address("ÜNï", "b.test") }, [3, 4, 5]],
  ["a domain", { recipient: { domain: "b.test" } }, [0, 1, 2, 3, 4, 5]],
  ["a domain above it", { recipient: { domain: "test" } }, []],
  ["a local part of another domain", { recipient: address("alice", "b.test") }, []],
  ["an empty local part", { recipient: address("", "b.test") }, []],
  ["wildcards", { recipient: address("%", "b.test") }, []],
  ["the null sender", { sender: null }, [3, 4, 5]],
  ["a sender", { sender: address("Alice", "example.com") }, [0, 1, 2]],
  ["a sender's domain", { sender: { domain: "sub.b.test" } }, [6, 7, 8]],
  ["an empty sender", { sender: { domain: "" } }, [9, 10, 11]],
  ["what is older", { until: START + 20 }, [0, 1, 2]],
  ["what is younger", { after: START + 90 }, [10, 11]],
  ["a time between", { after: START + 20, until: START + 50 }, [3, 4, 5]],
  ["all of it", { sender: null, recipient: { domain: "b.test" }, after: START + 35 }, [4, 5]],
];

/** Nobody can freeze the last: it has no recipients. */
function stateOf(index: number): MessageState | undefined {
  return index === 11 ? "queued" : STATES[index % 3];
}

function describeFilters(inSpool: InSpool): void {
  it(
    "finds by every filter in every state what fits, and counts it",
    inSpool(async (place) => {
      const ids = await filled(place);
      await place.look(async (view) => {
        for (const [what, filter, fitting] of FILTERS) {
          for (const state of [undefined, ...STATES]) {
            const fit = fitting.filter((one) => state === undefined || stateOf(one) === state);
            const expected = fit.map((index) => ids[index]);
            const asked = state === undefined ? filter : { ...filter, state };
            assert.deepEqual(await allIds(view, asked), expected, `${what} ${state}`);
            assert.deepEqual(idsOf(await all(view, asked)), expected, `${what} ${state}`);
            const counts = await view.count(asked);
            for (const counted of STATES) {
              const messages = fit.filter((one) => stateOf(one) === counted).length;
              assert.deepEqual(counts[counted], { messages, bytes: messages }, `${what} ${state}`);
            }
          }
        }
      });
    }),
  );
}

function describePages(inSpool: InSpool): void {
  it(
    "goes through many messages in order, in pages of a bounded size",
    inSpool(async (place) => {
      const count = 1001;
      const entered = await Promise.all(Array.from({ length: count }, () => enter(place)));
      const ids = idsOf(entered).toSorted();
      await place.look(async (view) => {
        const pages = await Array.fromAsync(view.ids({}));
        assert.deepEqual(pages.flat(), ids);
        assert.ok(pages.length > 1 && pages.every(({ length }) => length > 0 && length <= 500));
        const messages = await Array.fromAsync(view.messages({}, assert.fail));
        assert.deepEqual(idsOf(messages.flat()), ids);
        assert.ok(messages.every(({ length }) => length <= 500));
        assert.deepEqual((await view.count({})).queued, { messages: count, bytes: count });
      });
    }),
  );

  it(
    "can be left in the middle, and goes on while messages leave",
    inSpool(async (place) => {
      const entered = await Promise.all(Array.from({ length: 501 }, () => enter(place)));
      const last = idsOf(entered).toSorted().at(-1) ?? "";
      await place.look(async (view) => {
        for await (const page of view.ids({})) {
          assert.ok(page.length > 0);
          break;
        }
        const seen: string[] = [];
        for await (const page of view.ids({})) {
          seen.push(...page);
          if (page.length > 1) await place.spool.change("remove", idsOf(entered));
        }
        assert.equal(new Set(seen).size, seen.length);
        assert.ok(seen.length >= 500);
        assert.equal(await view.message(last), undefined);
      });
    }),
  );
}
