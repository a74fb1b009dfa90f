// A file system that does not answer, in each of the calls of a delivery: the copies wait, others go on, and when it
// answers each copy is there once.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import type { Body } from "../../src/mail/envelope.ts";
import { HostHints } from "../../src/retry/hosts/hosts.ts";
import { type FileCalls, nodeFileCalls } from "../../src/base/durable/file-calls.ts";
import { SharedDisks } from "../../src/disks/disks.ts";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { readOptions } from "../conformance/driver.ts";
import { manualClock } from "../support/clock.ts";
import { batch, envelope, inlineBody, MESSAGE, recipient, streamedBody } from "../support/build.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

const ALICE = recipient("alice@example.com");
const BOB = recipient("bob@example.com");
const BODIES: Readonly<Record<string, Body>> = {
  "a body in memory": inlineBody(),
  "a body in pieces": streamedBody(MESSAGE, 50),
};

type Call =
  | "mkdir"
  | "create"
  | "open"
  | "write"
  | "fsync"
  | "close"
  | "rename"
  | "unlink"
  | "names";

const isAlice = (path: string) => path.includes("alice");

/** The real calls; those of alice's Maildir wait while `hanging` says so. */
function hangingCalls() {
  const hanging = { call: undefined as Call | undefined, after: 0 };
  const held: (() => void)[] = [];
  const descriptors = new Set<number>();
  const pass = async (name: Call, isHers: boolean) => {
    if (!isHers || hanging.call !== name || hanging.after-- > 0) return;
    await new Promise<void>((resolve) => held.push(resolve));
  };
  const calls: FileCalls = {
    async open(path, flags, mode) {
      await pass(mode === undefined ? "open" : "create", isAlice(path));
      const fd = await nodeFileCalls.open(path, flags, mode);
      if (isAlice(path)) descriptors.add(fd);
      return fd;
    },
    async write(fd, bytes, offset, length) {
      await pass("write", descriptors.has(fd));
      return nodeFileCalls.write(fd, bytes, offset, length);
    },
    async fsync(fd) {
      await pass("fsync", descriptors.has(fd));
      await nodeFileCalls.fsync(fd);
    },
    async close(fd) {
      await pass("close", descriptors.delete(fd));
      await nodeFileCalls.close(fd);
    },
    async rename(from, to) {
      await pass("rename", isAlice(from));
      await nodeFileCalls.rename(from, to);
    },
    async unlink(path) {
      await pass("unlink", isAlice(path));
      await nodeFileCalls.unlink(path);
    },
    async mkdir(path, mode) {
      await pass("mkdir", isAlice(path));
      await nodeFileCalls.mkdir(path, mode);
    },
    async *names(path) {
      await pass("names", isAlice(path));
      yield* nodeFileCalls.names(path);
    },
  };
  const answer = () => {
    hanging.call = undefined;
    for (const resolve of held.splice(0)) resolve();
  };
  return { calls, hanging, answer, isHeld: () => held.length > 0 };
}

function setup(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "unseen-hangs-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const options = readOptions(maildirAppend, { directory: `${root}/{local_part}` });
  const log = recordingLog();
  const clock = manualClock();
  const hints = new HostHints({ retry: [], replies: [] }, clock);
  const woken: string[] = [];
  hints.attach(
    { saveHint: () => undefined, wake: (key) => Promise.resolve(woken.push(key)).then(() => 0) },
    new Map(),
  );
  const { calls, hanging, answer, isHeld } = hangingCalls();
  const maildirDisks = new SharedDisks({ clock, log }, calls);
  const start = () =>
    new MaildirAppend(options, fakeServices({ log, clock, hints, maildirDisks }), calls);
  const controller = new AbortController();
  let transport = start();
  const deliver = async (to = ALICE, id = 1, more: Partial<Parameters<typeof batch>[1]> = {}) => {
    const message = { envelope: envelope({ id: String(id).padStart(10, "0") }), ...more };
    return (await transport.deliver(batch([to], message), controller.signal)).get(to.id);
  };
  const files = (name: string, part = "new") => {
    try {
      return readdirSync(join(root, name, part));
    } catch {
      return [];
    }
  };
  const reload = () => (transport = start());
  return {
    root,
    log,
    clock,
    hints,
    woken,
    hanging,
    answer,
    isHeld,
    deliver,
    files,
    reload,
    controller,
  };
}

/** Waits for what real calls do, by no clock. */
async function settled(check: () => boolean): Promise<void> {
  while (!check()) await new Promise(setImmediate);
}

/** The outcome, once the call hangs. */
async function gaveUp(
  { clock, isHeld }: Pick<ReturnType<typeof setup>, "clock" | "isHeld">,
  work: Promise<Outcome | undefined>,
): Promise<Outcome | undefined> {
  await settled(isHeld);
  clock.advance(2500);
  return work;
}

for (const [kind, body] of Object.entries(BODIES)) {
  describe(`${kind}, and a file system that hangs`, () => {
    const steps: readonly (readonly [Call, number])[] = [
      ["mkdir", 0],
      ["mkdir", 2],
      ["create", 0],
      ["write", 0],
      ["fsync", 0],
      ["fsync", 1],
      ["close", 0],
      ["close", 1],
      ["rename", 0],
      ["open", 0],
      ["open", 1],
    ];
    for (const [call, after] of steps) {
      test(`in ${call} ${after}: the copy is deferred, and there once when it answers`, async (t) => {
        const here = setup(t);
        const { deliver, hanging, answer, files, log, hints, woken } = here;
        Object.assign(hanging, { call, after });
        const outcome = await gaveUp(here, deliver(ALICE, 1, { body }));
        assert.ok(outcome?.kind === "deferred", JSON.stringify(outcome));
        assert.equal(outcome.status.code, 451);
        assert.equal(outcome.error, "timeout");
        assert.equal(outcome.untried, undefined);
        hints.awaited(outcome.waitsFor?.key ?? "");
        assert.equal(log.named("maildir.hung").length, 1);

        // Others do not wait, and what comes for her now costs nothing.
        assert.equal((await deliver(BOB, 2))?.kind, "delivered");
        const next = await deliver(ALICE, 3);
        assert.ok(next?.kind === "deferred" && next.untried === true, JSON.stringify(next));
        assert.deepEqual(next.waitsFor, outcome.waitsFor);
        assert.equal((await deliver(ALICE, 1, { body, fresh: false }))?.kind, "deferred");

        answer();
        await settled(() => log.named("maildir.answered").length === 1);
        assert.deepEqual(woken, [outcome.waitsFor?.key]);
        for (const id of [1, 3]) {
          const again = await deliver(ALICE, id, { body, fresh: false, interrupted: true });
          assert.equal(again?.kind, "delivered");
        }
        assert.equal(files("alice").length, 2);
        assert.deepEqual(files("alice", "tmp"), []);
        assert.equal(files("bob").length, 1);
      });
    }

    test("after a reload the copy of before is found, and not written again", async (t) => {
      const here = setup(t);
      const { deliver, hanging, answer, files, reload, log } = here;
      assert.equal((await deliver(ALICE, 1))?.kind, "delivered");
      Object.assign(hanging, { call: "rename" });
      assert.equal((await gaveUp(here, deliver(ALICE, 2, { body })))?.kind, "deferred");
      reload();
      assert.equal((await deliver(ALICE, 2, { body }))?.kind, "deferred");
      answer();
      await settled(() => log.named("maildir.answered").length === 1);
      assert.equal((await deliver(ALICE, 2, { body }))?.kind, "delivered");
      assert.equal(files("alice").length, 2);
    });
  });
}

for (const count of [6, 12, 100, 1000]) {
  test(`${count} copies for a Maildir that hangs: bob has his at once, and each comes once`, async (t) => {
    const here = setup(t);
    const { clock, deliver, hanging, answer, files, log } = here;
    await deliver(ALICE, 0);
    Object.assign(hanging, { call: "create" });
    const first = Array.from({ length: count }, (_, index) => deliver(ALICE, index + 1));
    assert.equal((await deliver(BOB, 1))?.kind, "delivered");
    clock.advance(2500);
    const outcomes = await Promise.all(first);
    assert.ok(outcomes.every((outcome) => outcome?.kind === "deferred"));
    assert.equal((await deliver(BOB, 2))?.kind, "delivered");
    assert.ok(log.events.length < 10, "one event, however many copies");
    answer();
    await settled(() => log.named("maildir.answered").length === 1);
    for (let index = 0; index < count; index++) {
      const again = await deliver(ALICE, index + 1, { fresh: false });
      assert.equal(again?.kind, "delivered");
    }
    assert.equal(files("alice").length, count + 1);
    assert.deepEqual(files("alice", "tmp"), []);
  });
}

test("a copy whose attempt was cut off is not written again when it has arrived after all", async (t) => {
  const { deliver, hanging, answer, files, controller } = setup(t);
  await deliver(ALICE, 1);
  Object.assign(hanging, { call: "fsync" });
  const late = deliver(ALICE, 2);
  await settled(() => files("alice").length === 2);
  controller.abort(new Error("the relay stops"));
  answer();
  assert.equal((await late)?.kind, "delivered");
  const again = await deliver(ALICE, 2, { fresh: false });
  assert.equal(again?.kind, "delivered");
  assert.equal(files("alice").length, 2);
});

test("while it cannot be seen whether the copy is there, none is written", async (t) => {
  const here = setup(t);
  const { deliver, hanging, files, answer } = here;
  await deliver(ALICE, 1);
  Object.assign(hanging, { call: "names" });
  const outcome = await gaveUp(here, deliver(ALICE, 2, { interrupted: true }));
  assert.ok(outcome?.kind === "deferred" && outcome.error === "timeout");
  assert.equal(files("alice").length, 1);
  answer();
});

test("a Maildir that was in doubt before a restart wakes those who wait when it works", async (t) => {
  const { deliver, hints, woken, root } = setup(t);
  const key = `maildir ${root}/alice`;
  const failure = {
    host: "maildir",
    domain: "",
    status: { code: 451, enhanced: "4.3.0", text: "x" },
  };
  hints.failed(key, failure);
  hints.awaited(key);
  await deliver(ALICE, 1);
  assert.deepEqual(woken, [key]);
  assert.equal(hints.isEmpty, true);
});
