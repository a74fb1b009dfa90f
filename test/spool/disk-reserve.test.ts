import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DiskReserve, type FreeSpace, freeSpace } from "../../src/spool/disk-reserve.ts";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { startTestRelay } from "../support/relay.ts";
import { recordingLog } from "../support/services.ts";
import { startSink } from "../support/sink.ts";

function reserveOf(free: { bytes: number; inodes: number; broken?: boolean }) {
  const clock = manualClock();
  const log = recordingLog();
  let asked = 0;
  const measure = () => {
    asked += 1;
    return free.broken === true ? Promise.reject(new Error("EIO")) : Promise.resolve({ ...free });
  };
  const reserve = new DiskReserve({ bytes: 1000, inodes: 10, measure, clock, log });
  return { clock, log, reserve, asked: () => asked, free };
}

describe("the disk reserve", () => {
  test("asks the file system once a second, however many clients there are", async () => {
    const { clock, reserve, asked } = reserveOf({ bytes: 5000, inodes: 50 });
    await Promise.all(Array.from({ length: 20 }, async () => reserve.hasRoomFor(0)));
    assert.equal(reserve.hasRoomFor(0), true, "answered at once");
    assert.equal(asked(), 1);
    assert.equal(clock.pending, 0, "no timer when nobody is there");
    clock.advance(1000);
    assert.equal(await reserve.hasRoomFor(0), true);
    assert.equal(asked(), 2);
  });

  for (const [what, low] of [
    ["bytes", { bytes: 999, inodes: 50 }],
    ["inodes", { bytes: 5000, inodes: 9 }],
  ] as const) {
    test(`refuses when there are too few ${what}, accepts a second after there are enough`, async () => {
      const { clock, log, reserve, free } = reserveOf({ ...low });
      assert.equal(await reserve.hasRoomFor(0), false);
      clock.advance(500);
      Object.assign(free, { bytes: 5000, inodes: 50 });
      assert.equal(await reserve.hasRoomFor(0), false);
      clock.advance(500);
      assert.equal(await reserve.hasRoomFor(0), true);
      const names = log.events.map(({ name }) => name);
      assert.deepEqual(names, ["spool.low", "spool.enough"], "each change is logged once");
    });
  }

  test("refuses a message that would use the reserve up, and takes a smaller one", async () => {
    const { reserve, log } = reserveOf({ bytes: 5000, inodes: 50 });
    assert.equal(await reserve.hasRoomFor(4001), false);
    assert.equal(await reserve.hasRoomFor(4000), true);
    assert.deepEqual(log.events, []);
  });

  test("keeps its last word while the file system does not answer", async () => {
    const { clock, reserve, free, log } = reserveOf({ bytes: 10, inodes: 50 });
    assert.equal(await reserve.hasRoomFor(0), false);
    Object.assign(free, { bytes: 5000, broken: true });
    clock.advance(1000);
    assert.equal(await reserve.hasRoomFor(0), false);
    assert.ok(log.named("spool.failed").length === 1);
  });

  test("is not fooled by a clock that is set back", async () => {
    const { clock, reserve, asked } = reserveOf({ bytes: 5000, inodes: 50 });
    await reserve.hasRoomFor(0);
    clock.step(-3_600_000);
    clock.advance(1000);
    await reserve.hasRoomFor(0);
    assert.equal(asked(), 2);
  });

  test("a file system that hangs is asked once, and holds up no client", async () => {
    const clock = manualClock();
    const log = recordingLog();
    const answers: PromiseWithResolvers<FreeSpace>[] = [];
    const measure = () => {
      const answer = Promise.withResolvers<FreeSpace>();
      answers.push(answer);
      return answer.promise;
    };
    const reserve = new DiskReserve({ bytes: 1000, inodes: 10, measure, clock, log });
    const first = reserve.hasRoomFor(0);
    clock.advance(100);
    assert.equal(await first, true, "nothing is known yet: a write will show");
    answers[0]?.resolve({ bytes: 10, inodes: 50 });
    await new Promise(setImmediate);
    assert.equal(reserve.hasRoomFor(0), false, "a late answer counts");

    clock.advance(1000);
    const waits = Array.from({ length: 20 }, () => reserve.hasRoomFor(0));
    assert.ok(waits.every((one) => one instanceof Promise));
    clock.advance(100);
    assert.deepEqual(new Set(await Promise.all(waits)), new Set([false]));
    for (let second = 0; second < 200; second++) {
      clock.advance(1000);
      assert.equal(reserve.hasRoomFor(0), false, "answers at once");
    }
    assert.equal(answers.length, 2);
    assert.equal(log.named("relay.warning").length, 1);

    answers[1]?.resolve({ bytes: 5000, inodes: 50 });
    await new Promise(setImmediate);
    assert.equal(reserve.hasRoomFor(0), true);
    assert.equal(clock.pending, 0);
  });

  test("knows what a real file system has", async () => {
    const { bytes, inodes } = await freeSpace("/");
    assert.ok(bytes > 0 && inodes > 0);
  });
});

test("a relay whose disk is nearly full puts mail off at MAIL, and delivers what it has", async () => {
  await using sink = await startSink();
  const reserve = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
spool_reserve = "4096G"
`;
  await using relay = await startTestRelay({
    config: `${reserve}${workspaceConfig(sink.port)}`,
    files: { gmail_accounts: "alice\n" },
  });
  using client = await relay.connect("127.0.0.9");
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask("MAIL FROM:<carol@example.net>"), /^452 4\.3\.1 /);
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^503 /);
  assert.equal(relay.log.named("spool.low").length, 1);
});

test("a declared size that the disk has no room for is refused at MAIL", async () => {
  await using sink = await startSink();
  const { bytes } = await freeSpace("/tmp");
  // Room for some megabytes, and not for 500.
  const reserve = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
message_size_limit = "1000M"
spool_reserve = "${Math.floor(bytes / 2 ** 20) - 250}M"
`;
  await using relay = await startTestRelay({
    config: `${reserve}${workspaceConfig(sink.port)}`,
    files: { gmail_accounts: "alice\n" },
  });
  using client = await relay.connect("127.0.0.9");
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask("MAIL FROM:<carol@example.net> SIZE=500000000"), /^452 4\.3\.1 /);
  assert.match(await client.ask("MAIL FROM:<carol@example.net> SIZE=1000"), /^250 /);
});
