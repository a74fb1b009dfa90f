import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Executors } from "../../src/disks/executors.ts";
import type { Lane, Turn } from "../../src/disks/lane.ts";
import { Lanes } from "../../src/disks/lanes.ts";
import { FileSystemHangs } from "../../src/disks/maildir-disks.ts";
import { manualClock } from "../support/clock.ts";

const ROOT = "/mail";
const turn = () => new Promise(setImmediate);

/** "answered", "refused", or "waits". */
const state = async (run: Promise<unknown>) => {
  const told = run.then(
    () => "answered",
    (error: unknown) => (error instanceof FileSystemHangs ? "refused" : String(error)),
  );
  return Promise.race([
    told,
    turn()
      .then(turn)
      .then(() => "waits"),
  ]);
};

/** A delivery of one call. */
const begin = (of: Lane, name: string, hasFile = false) => {
  if (!of.admits()) return Promise.reject(new FileSystemHangs(of.directory));
  const run = of.run(async (delivery) => {
    delivery.hasFile = hasFile;
    await delivery.ask({ op: "unlink", path: name });
    return name;
  });
  run.catch(() => undefined);
  return run;
};

const good = (of: Lane) => begin(of, `good ${of.directory}`);

const ask = (delivery: Turn) => delivery.ask({ op: "unlink", path: "x" }).then(() => "x");

/** Threads whose calls end when the test says so. */
function setup() {
  const clock = manualClock();
  const events: string[] = [];
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  let open = 0;
  let most = 0;
  const executors: Executors = {
    places: true,
    start(onReply) {
      most = Math.max(most, ++open);
      let progress = 0;
      return {
        post(requests) {
          const names = requests.map((one) => ("path" in one ? one.path : ""));
          begun.push(...names);
          const all = names.map(() => ({ value: 1 }));
          const waited = names.filter((name) => !name.startsWith("good"));
          if (waited.length === 0) void turn().then(() => onReply({ all }));
          let left = waited.length;
          for (const name of waited) {
            ends.set(name, () => {
              progress++;
              if (--left === 0) onReply({ all });
            });
          }
        },
        progress: () => progress,
        close: () => open--,
      };
    },
  };
  const lanes = new Lanes(clock, executors, {
    hung: (directory) => events.push(`hung ${directory}`),
    answered: (directory, after) => events.push(`answered ${directory} ${after}`),
  });
  const lane = (name: string) => lanes.lane(`${ROOT}/${name}`, ROOT);
  const end = async (name: string) => {
    ends.get(name)?.();
    await turn();
    await turn();
  };
  const threads = () => ({ open, most });
  return { clock, events, begun, lane, lanes, end, threads };
}

describe("a lane", () => {
  test("has one call until it has answered, and three threads with batches from then on", async () => {
    const { begun, lane, end, threads } = setup();
    const alice = lane("alice");
    for (let index = 0; index < 40; index++) void begin(alice, `${index}`);
    await turn();
    assert.deepEqual(begun, ["0"]);
    await end("0");
    assert.equal(begun.length, 1 + 3 * 8);
    assert.equal(threads().open, 3);
    for (let index = 1; index < 8; index++) await end(`${index}`);
    assert.equal(begun.length, 25, "a batch is answered as a whole");
    await end("8");
    assert.equal(begun.length, 33);
  });

  test("does not hang while calls of its batch return", async () => {
    const { clock, events, lane, end } = setup();
    const alice = lane("alice");
    await good(alice);
    for (let index = 0; index < 24; index++) void begin(alice, `${index}`);
    await turn();
    for (let index = 0; index < 8; index++) {
      clock.advance(1500);
      for (const thread of [0, 8, 16]) await end(`${thread + index}`);
    }
    assert.deepEqual(events, []);
  });

  test("that hangs refuses what has no file, keeps back what has, and goes on when it answers", async () => {
    const { clock, events, begun, lane, end } = setup();
    const alice = lane("alice");
    const stuck = begin(alice, "stuck");
    const given = stuck.catch((error: unknown) => error);
    const next = begin(alice, "next");
    void begin(alice, "patient", true);
    await turn();
    clock.advance(1900);
    assert.equal(await state(next), "waits");
    clock.advance(400);
    assert.equal(await state(next), "refused");
    assert.equal(await state(begin(alice, "new")), "refused");
    assert.deepEqual(begun, ["stuck"]);
    clock.advance(3_600_000 - 2300);
    await end("stuck");
    assert.deepEqual(begun, ["stuck", "patient"]);
    void begin(alice, "later");
    await turn();
    assert.deepEqual(begun, ["stuck", "patient", "later"]);
    assert.deepEqual(events, ["hung /mail/alice", "answered /mail/alice 3600000"]);
    const error = await given;
    assert.ok(error instanceof FileSystemHangs);
    assert.equal(await error.underWay, "stuck", "it has ended as it would have ended");
  });

  test("does not hang because our own process stood still", async () => {
    const { clock, events, lane, end } = setup();
    const run = begin(lane("alice"), "a");
    await turn();
    // One look, however long it took to come.
    clock.advance(250);
    assert.deepEqual(events, []);
    await end("a");
    assert.equal(await state(run), "answered");
    clock.advance(60_000);
    assert.equal(clock.pending, 0);
  });

  test("is tried once more every minute, and opened by a probe that is answered", async () => {
    const { clock, events, begun, lane, end } = setup();
    const alice = lane("alice");
    void begin(alice, "lost");
    await turn();
    clock.advance(61_000);
    const probe = begin(alice, "probe");
    await turn();
    assert.deepEqual(begun, ["lost", "probe"]);
    assert.equal(await state(begin(alice, "other")), "refused");
    await end("probe");
    assert.equal(await state(probe), "answered");
    assert.equal(events.at(-1), "answered /mail/alice 61000");
    void begin(alice, "open");
    await turn();
    assert.equal(begun.at(-1), "open");
  });

  test("never loses more than four threads", async () => {
    const { clock, begun, lane } = setup();
    const alice = lane("alice");
    for (let minute = 0; minute < 30; minute++) {
      void begin(alice, `probe${minute}`).catch(() => undefined);
      await turn();
      clock.advance(61_000);
    }
    assert.equal(begun.length, 4);
  });

  test("that answers is not closed by one call that hangs, whose delivery is given up alone", async () => {
    const { clock, events, lane } = setup();
    const alice = lane("alice");
    await good(alice);
    const stuck = begin(alice, "stuck");
    await turn();
    await good(alice);
    clock.advance(2500);
    assert.equal(await state(stuck), "refused");
    assert.deepEqual(events, []);
    assert.equal(await state(good(alice)), "answered");
  });
});

describe("all lanes together", () => {
  for (const count of [6, 12, 100, 1000]) {
    test(`${count} Maildirs that hang leave room for one that answers`, async () => {
      const { clock, begun, lane, threads } = setup();
      await good(lane("bob"));
      for (let index = 0; index < count; index++) {
        void begin(lane(`user${index}`), `stuck${index}`).catch(() => undefined);
        await turn();
        // Mail comes one after the other, and bob has some between.
        clock.advance(250);
        await good(lane("bob"));
      }
      clock.advance(5000);
      await good(lane("bob"));
      await good(lane("bob"));
      const stuck = begun.filter((name) => name.startsWith("stuck"));
      assert.ok(stuck.length <= 20, `${stuck.length} threads`);
      assert.ok(threads().most <= 24, `${threads().most} threads`);
    });
  }

  test("a root that hangs as a whole is given up after a few Maildirs", async () => {
    const { clock, begun, lane } = setup();
    for (let index = 0; index < 1000; index++) {
      void begin(lane(`user${index}`), `stuck${index}`).catch(() => undefined);
      await turn();
      if (index % 5 === 4) clock.advance(2500);
    }
    clock.advance(10_000);
    assert.ok(begun.length <= 12, String(begun.length));
  });

  test("one directory that hangs is no suspicion against its neighbour", async () => {
    const { clock, begun, lane, lanes } = setup();
    for (let index = 0; index < 30; index++) {
      void begin(lane(`one.test/user${index}`), `stuck${index}`).catch(() => undefined);
      await turn();
      clock.advance(500);
      await good(lane(`two.test/user${index % 3}`));
    }
    clock.advance(5000);
    void begin(lane("two.test/new"), "new");
    await turn();
    assert.equal(begun.at(-1), "new");
    // Another transport has a root of its own.
    void begin(lanes.lane("/other/x", "/other"), "x");
    await turn();
    assert.equal(begun.at(-1), "x");
    await assert.rejects(begin(lane("one.test/new"), "never"), FileSystemHangs);
  });

  test("what waits for a thread gets it in turn, a Maildir after the other", async () => {
    const { begun, lane, end } = setup();
    for (const [index, name] of ["a", "a", "a", "b", "c", "d", "e"].entries()) {
      void begin(lane(name), `${name}${index}`);
    }
    await turn();
    assert.deepEqual(begun, ["a0", "b3", "c4", "d5"]);
    await end("b3");
    assert.deepEqual(begun.slice(4), ["e6"]);
    await end("a0");
    assert.deepEqual(begun.slice(5), ["a1"]);
    await end("c4");
    assert.deepEqual(begun.slice(6), ["a2"]);
  });

  test("threads that have nothing to do end, but for one", async () => {
    const { clock, lane, threads } = setup();
    await Promise.all(["a", "b", "c"].map((name) => good(lane(name))));
    assert.equal(threads().open, 3);
    clock.advance(30_000);
    assert.equal(threads().open, 1);
    await good(lane("a"));
    assert.equal(threads().most, 3);
  });
});

test("a thread that dies fails what it had to do, and another takes its place", async () => {
  const clock = manualClock();
  const ends: ((error: Error) => void)[] = [];
  let started = 0;
  const executors: Executors = {
    places: true,
    start(onReply, onEnd) {
      ends.push(onEnd);
      const isFirst = started++ === 0;
      return {
        post: () =>
          isFirst ? undefined : void turn().then(() => onReply({ all: [{ value: 1 }] })),
        progress: () => 0,
        close: () => undefined,
      };
    },
  };
  const lane = new Lanes(clock, executors).lane("/mail/a", "/mail");
  const first = lane.run(ask);
  await turn();
  ends[0]?.(new Error("out of memory"));
  await assert.rejects(first, /out of memory/);
  assert.equal(await lane.run(ask), "x");
});
