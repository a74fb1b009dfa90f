import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Batch, Outcome, Transport } from "../../src/contract/contract.ts";
import { type Delivery, deliveryOf } from "../../src/deliver/batches.ts";
import { deliver } from "../../src/deliver/deliver.ts";
import { status } from "../../src/mail/status.ts";
import { manualClock } from "../support/clock.ts";
import { envelope, inlineBody, mailbox, routedDelivery } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import type { Host } from "../../src/mail/host.ts";

const DONE: Outcome = { kind: "delivered", status: status(250, "0.0", "done") };
const COPY = { unseen: true } as const;
const REFUSED: Outcome = { kind: "failed", status: status(550, "1.1", "no") };

type Answer = (
  batch: Batch,
  signal: AbortSignal,
) => ReadonlyMap<string, Outcome> | Promise<ReadonlyMap<string, Outcome>>;

const all =
  (outcome: Outcome): Answer =>
  ({ recipients }) =>
    new Map(recipients.map(({ id }) => [id, outcome]));

function transport(locality: Transport["locality"], answer: Answer, key?: Transport["batchKey"]) {
  const batches: Batch[] = [];
  return {
    batches,
    locality,
    batchKey: key ?? (({ mailbox: { domain } }) => domain),
    async deliver(batch: Batch, signal: AbortSignal) {
      batches.push(batch);
      return answer(batch, signal);
    },
  } satisfies Transport & { batches: Batch[] };
}

function delivery(address: string, by: string, given: Partial<Delivery> = {}): Delivery {
  return { ...routedDelivery(address, { router: "r", transport: by }), position: 0, ...given };
}

function begin(
  deliveries: readonly Delivery[],
  transports: Readonly<Record<string, Transport>>,
  controller = new AbortController(),
) {
  const outcomes: [string, Outcome][] = [];
  const clock = manualClock();
  const log = recordingLog();
  const means = { transports: new Map(Object.entries(transports)), log, clock };
  const done = deliver(
    { envelope: envelope(), body: inlineBody() },
    deliveries,
    { fresh: true, force: false },
    { ...means, signal: controller.signal },
    (of, outcome) => outcomes.push([`${of.transport} ${of.mailbox.address}`, outcome]),
  );
  return { outcomes, clock, log, done };
}

/** The NOTIFY that a host is asked for, when these are those of one address. */
async function askedOfOne(...notify: (string | undefined)[]) {
  const smtp = transport("remote", all(DONE));
  const same = notify.map((one, position) =>
    delivery("bob@x.test", "smtp", { position, ...(one === undefined ? {} : { notify: one }) }),
  );
  await delivered(same, { smtp });
  return smtp.batches[0]?.recipients.map((one) => one.notify);
}

/** "delivered 2.0.0" for each delivery, in the order in which it became known. */
function short(outcomes: readonly [string, Outcome][]): string[] {
  return outcomes.map(
    ([
      of,
      {
        kind,
        status: { enhanced },
      },
    ]) => `${of}: ${kind} ${enhanced}`,
  );
}

async function delivered(deliveries: readonly Delivery[], transports: Record<string, Transport>) {
  const run = begin(deliveries, transports);
  await run.done;
  return { outcomes: short(run.outcomes), log: run.log, pending: run.clock.pending };
}

const addresses = ({ batches }: { readonly batches: readonly Batch[] }) =>
  batches.map(({ recipients }) => recipients.map(({ mailbox: { address } }) => address));

describe("a batch", () => {
  test("has the recipients of one transport, one key and the same hosts in the same order", async () => {
    const one: Host = { name: "mx1.test" };
    const two: Host = { name: "mx2.test" };
    const smtp = transport("remote", all(DONE), () => "");
    const other = transport("remote", all(DONE), () => "");
    await delivered(
      [
        delivery("a@x.test", "smtp", { hosts: [one, two] }),
        delivery("b@x.test", "smtp", { hosts: [two, one] }),
        delivery("c@x.test", "smtp"),
        delivery("d@x.test", "smtp", { hosts: [one, two] }),
        delivery("e@x.test", "other"),
      ],
      { smtp, other },
    );
    assert.deepEqual(addresses(smtp), [["a@x.test", "d@x.test"], ["b@x.test"], ["c@x.test"]]);
    assert.deepEqual(
      smtp.batches.map(({ hosts }) => hosts),
      [[one, two], [two, one], undefined],
    );
    assert.deepEqual(addresses(other), [["e@x.test"]]);
  });

  test("has what the transport asks for by its key", async () => {
    const smtp = transport("remote", all(DONE));
    const to = ["a@x.test", "b@y.test", "c@x.test"];
    await delivered(
      to.map((address) => delivery(address, "smtp")),
      { smtp },
    );
    assert.deepEqual(addresses(smtp), [["a@x.test", "c@x.test"], ["b@y.test"]]);
  });

  test("tells the transport who the recipient is, and nothing of the queue", async () => {
    const smtp = transport("remote", all(DONE));
    const account = { domain: "x.test", localPart: "bob" };
    const given = { account, original: mailbox("all@x.test"), notify: "NEVER", orcpt: "rfc822;a" };
    await delivered([delivery("bob@x.test", "smtp", given)], { smtp });
    const [batch] = smtp.batches;
    assert.deepEqual(batch?.recipients, [{ id: "0", mailbox: mailbox("bob@x.test"), ...given }]);
    assert.deepEqual(Object.keys(batch).toSorted(), [
      "body",
      "envelope",
      "force",
      "fresh",
      "recipients",
    ]);
  });

  test("has one remote address once, with one outcome for each of its deliveries", async () => {
    const smtp = transport("remote", all(REFUSED));
    const twice = [
      delivery("bob@x.test", "smtp", { position: 0 }),
      delivery("bob@x.test", "smtp", { position: 1 }),
      delivery("Bob@x.test", "smtp", { position: 2 }),
    ];
    const { outcomes } = await delivered(twice, { smtp });
    assert.deepEqual(addresses(smtp), [["bob@x.test", "Bob@x.test"]]);
    assert.deepEqual(outcomes, [
      "smtp bob@x.test: failed 5.1.1",
      "smtp bob@x.test: failed 5.1.1",
      "smtp Bob@x.test: failed 5.1.1",
    ]);
  });

  test("asks for every report on it that one of its deliveries asks for", async () => {
    assert.deepEqual(await askedOfOne("NEVER", "FAILURE"), ["FAILURE"]);
    assert.deepEqual(await askedOfOne("SUCCESS", "FAILURE", "NEVER"), ["SUCCESS,FAILURE"]);
    assert.deepEqual(await askedOfOne("NEVER", "NEVER"), ["NEVER"]);
    assert.deepEqual(await askedOfOne("NEVER", undefined), ["FAILURE,DELAY"]);
    assert.deepEqual(await askedOfOne(undefined, undefined), [undefined]);
  });

  test("asks no host for reports on a copy", () => {
    const [copy, mail] = [true, false].map((unseen) =>
      deliveryOf({ position: 0, notify: "SUCCESS" }, delivery("bob@x.test", "smtp", { unseen })),
    );
    assert.deepEqual([copy?.notify, mail?.notify], ["NEVER", "SUCCESS"]);
  });

  test("has one local address as often as it comes: Envelope-to names where each came from", async () => {
    const file = transport("local", all(DONE));
    await delivered(
      [
        delivery("bob@x.test", "file", { original: mailbox("all@x.test") }),
        delivery("bob@x.test", "file"),
      ],
      { file },
    );
    assert.deepEqual(addresses(file), [["bob@x.test", "bob@x.test"]]);
  });
});

describe("copies", () => {
  test("are done before the mail goes on, in whatever order the routers gave them", async () => {
    const order: string[] = [];
    const noting = (name: string): Answer => {
      return (batch) => {
        order.push(name);
        return all(DONE)(batch, new AbortController().signal);
      };
    };
    const smtp = transport("remote", noting("smtp"));
    const file = transport("local", noting("file"));
    await delivered([delivery("a@x.test", "smtp"), delivery("a@x.test", "file")], { smtp, file });
    assert.deepEqual(order, ["file", "smtp"]);
  });

  const troubles: Readonly<Record<string, Transport>> = {
    "that fails": transport("local", all(REFUSED)),
    "that throws": transport("local", () => {
      throw new Error("boom");
    }),
    "that rejects": transport("local", () => Promise.reject(new Error("boom"))),
    "whose key throws": transport("local", all(DONE), () => {
      throw new Error("boom");
    }),
  };
  for (const [what, file] of Object.entries(troubles)) {
    test(`a copy ${what} does not hold up the mail`, async () => {
      const smtp = transport("remote", all(DONE));
      const both = [delivery("a@x.test", "file"), delivery("a@x.test", "smtp")];
      const { outcomes, log } = await delivered(both, { smtp, file });
      assert.equal(outcomes.length, 2);
      assert.equal(outcomes[1], "smtp a@x.test: delivered 2.0.0");
      if (what !== "that fails") {
        assert.equal(outcomes[0], "file a@x.test: deferred 4.3.0");
        assert.equal(log.named("relay.error").length, 1);
      }
    });
  }

  test("a copy that hangs holds up the mail for ten seconds, is told to stop after a minute, and is left soon after", async () => {
    let told = false;
    const file = transport("local", (_, signal) => {
      signal.addEventListener("abort", () => (told = true));
      return new Promise<never>(() => undefined);
    });
    const smtp = transport("remote", all(DONE));
    const both = [delivery("a@x.test", "file", COPY), delivery("a@x.test", "smtp")];
    const run = begin(both, { smtp, file });
    await setImmediate();
    run.clock.advance(9999);
    await setImmediate();
    assert.deepEqual(smtp.batches, []);
    run.clock.advance(1);
    await setImmediate();
    assert.deepEqual(short(run.outcomes), ["smtp a@x.test: delivered 2.0.0"]);
    run.clock.advance(49_999);
    assert.equal(told, false);
    run.clock.advance(1);
    assert.equal(told, true);
    run.clock.advance(5000);
    await run.done;
    assert.deepEqual(short(run.outcomes), [
      "smtp a@x.test: delivered 2.0.0",
      "file a@x.test: deferred 4.3.0",
    ]);
    assert.equal(run.clock.pending, 0);
  });

  for (const [what, isCopy, server] of [
    ["mail for this machine", false, {}],
    ["a copy for a server of this machine", true, { ownDeadlines: true }],
  ] as const) {
    test(`${what} comes first too, is never cut off, and after ten seconds the rest goes on beside it`, async () => {
      const taken = Promise.withResolvers<void>();
      let told = false;
      const answer: Answer = async (batch, signal) => {
        signal.addEventListener("abort", () => (told = true));
        await taken.promise;
        return all(DONE)(batch, signal);
      };
      const lmtp = { ...transport("local", answer), ...server };
      const smtp = transport("remote", all(DONE));
      const run = begin(
        [delivery("a@x.test", "lmtp", { unseen: isCopy }), delivery("b@x.test", "smtp")],
        { smtp, lmtp },
      );
      await setImmediate();
      run.clock.advance(9999);
      await setImmediate();
      assert.deepEqual(smtp.batches, []);
      run.clock.advance(1);
      await setImmediate();
      assert.deepEqual(short(run.outcomes), ["smtp b@x.test: delivered 2.0.0"]);
      run.clock.advance(65_000);
      assert.equal(told, false);
      taken.resolve();
      await run.done;
      assert.equal(run.outcomes.length, 2);
      assert.equal(run.clock.pending, 0);
    });
  }

  test("one that hangs does not undo another that is done", async () => {
    const hanging = transport("local", () => new Promise<never>(() => undefined));
    const file = transport("local", all(DONE));
    const run = begin([delivery("a@x.test", "hanging", COPY), delivery("a@x.test", "file")], {
      hanging,
      file,
    });
    await setImmediate();
    assert.deepEqual(short(run.outcomes), ["file a@x.test: delivered 2.0.0"]);
    run.clock.advance(65_000);
    await run.done;
    assert.equal(run.outcomes.length, 2);
  });
});

describe("the deadline", () => {
  test("reaches copies and mail alike, and what the transport says in the end counts", async () => {
    for (const locality of ["local", "remote"] as const) {
      const controller = new AbortController();
      const heeding = transport(
        locality,
        (batch, signal) =>
          new Promise((resolve) =>
            signal.addEventListener("abort", () => resolve(all(DONE)(batch, signal))),
          ),
      );
      const run = begin([delivery("a@x.test", "heeding")], { heeding }, controller);
      await setImmediate();
      controller.abort(new Error("the relay stops"));
      await run.done;
      assert.deepEqual(short(run.outcomes), ["heeding a@x.test: delivered 2.0.0"]);
      assert.equal(run.clock.pending, 0);
    }
  });

  test("that has passed already is known to the transport, whose answer still counts", async () => {
    for (const locality of ["local", "remote"] as const) {
      const controller = new AbortController();
      controller.abort();
      let knew = false;
      const file = transport(locality, async (batch, signal) => {
        knew = signal.aborted;
        await setImmediate();
        return all(DONE)(batch, signal);
      });
      const run = begin([delivery("a@x.test", "file")], { file }, controller);
      await run.done;
      assert.deepEqual([knew, short(run.outcomes)], [true, ["file a@x.test: delivered 2.0.0"]]);
    }
  });

  test("that has passed already starts nothing that could go on for ever", async () => {
    const controller = new AbortController();
    controller.abort();
    const hanging = transport("remote", () => new Promise<never>(() => undefined));
    const run = begin([delivery("a@x.test", "hanging")], { hanging }, controller);
    await setImmediate();
    run.clock.advance(5000);
    await run.done;
    assert.deepEqual(short(run.outcomes), ["hanging a@x.test: deferred 4.3.0"]);
  });

  test("leaves no timer behind when nothing is late", async () => {
    const file = transport("local", all(DONE));
    const smtp = transport("remote", all(DONE));
    const both = [delivery("a@x.test", "file"), delivery("a@x.test", "smtp")];
    assert.equal((await delivered(both, { file, smtp })).pending, 0);
  });
});

describe("an outcome", () => {
  test("that the transport leaves out is deferred", async () => {
    const smtp = transport(
      "remote",
      ({ recipients }) => new Map([[recipients[1]?.id ?? "", DONE]]),
    );
    const two = [delivery("a@x.test", "smtp"), delivery("b@x.test", "smtp")];
    const { outcomes } = await delivered(two, { smtp });
    assert.deepEqual(outcomes, ["smtp a@x.test: deferred 4.3.0", "smtp b@x.test: delivered 2.0.0"]);
  });

  test("of a router's transport that is not there is deferred and logged", async () => {
    const { outcomes, log } = await delivered([delivery("a@x.test", "nowhere")], {});
    assert.deepEqual(outcomes, ["nowhere a@x.test: deferred 4.3.0"]);
    assert.deepEqual(log.named("relay.error"), [
      { where: "router r", error: 'there is no transport "nowhere"' },
    ]);
  });

  test("that is none is deferred: a driver's bug neither bounces nor loses mail", async () => {
    const wrong: readonly unknown[] = [
      { kind: "sent", status: status(250, "0.0", "ok") },
      { kind: "failed", status: status(451, "0.0", "later") },
      { kind: "delivered", status: status(550, "0.0", "no") },
      { kind: "failed" },
      {
        kind: "deferred",
        status: status(451, "0.0", "later"),
        scope: "host",
        notBefore: Number.NaN,
      },
      "delivered",
    ];
    for (const outcome of wrong) {
      const odd = transport("remote", all(DONE));
      const outcomes = new Map([["0", outcome]]);
      Object.assign(odd, { deliver: () => Promise.resolve(outcomes) });
      const run = await delivered([delivery("a@x.test", "odd")], { odd });
      assert.deepEqual(run.outcomes, ["odd a@x.test: deferred 4.3.0"], JSON.stringify(outcome));
      assert.equal(run.log.named("relay.error").length, 1);
    }
  });

  test("that is none does not undo those beside it", async () => {
    const wrong: readonly unknown[] = [null, { kind: "failed" }, { kind: "failed", status: 1n }];
    for (const outcome of wrong) {
      const odd = transport("remote", all(DONE), () => "");
      const outcomes = new Map([
        ["0", DONE],
        ["1", outcome],
        ["2", DONE],
      ]);
      Object.assign(odd, { deliver: () => Promise.resolve(outcomes) });
      const three = ["a@x.test", "b@x.test", "c@x.test"].map((to) => delivery(to, "odd"));
      const run = await delivered(three, { odd });
      assert.deepEqual(run.outcomes, [
        "odd a@x.test: delivered 2.0.0",
        "odd b@x.test: deferred 4.3.0",
        "odd c@x.test: delivered 2.0.0",
      ]);
      assert.equal(run.log.named("relay.error").length, 1);
    }
  });

  test("that is usable in part counts, and is logged", async () => {
    const odd = transport("remote", all(DONE));
    const outcomes = new Map([["0", { ...DONE, place: "mx.test" }]]);
    Object.assign(odd, { deliver: () => Promise.resolve(outcomes) });
    const run = await delivered([delivery("a@x.test", "odd")], { odd });
    assert.deepEqual(run.outcomes, ["odd a@x.test: delivered 2.0.0"]);
    assert.match(JSON.stringify(run.log.named("relay.error")), /"unusable in part: /);
  });

  test("is none without a map: all are deferred, and the other batches are not touched", async () => {
    const odd = transport("remote", all(DONE));
    Object.assign(odd, { deliver: () => Promise.resolve(undefined) });
    const smtp = transport("remote", all(DONE));
    const two = [delivery("a@x.test", "odd"), delivery("b@x.test", "smtp")];
    const { outcomes } = await delivered(two, { odd, smtp });
    assert.deepEqual(outcomes.toSorted(), [
      "odd a@x.test: deferred 4.3.0",
      "smtp b@x.test: delivered 2.0.0",
    ]);
  });
});
