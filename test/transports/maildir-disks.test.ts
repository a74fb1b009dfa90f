// The file systems of Maildirs as the transport asks for them: those that it is given, and nothing but what it was promised
// of them.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type {
  DiskTurn,
  LeftCopy,
  MaildirDisks,
  MaildirLane,
} from "../../src/disks/maildir-disks.ts";
import { nodeFileCalls } from "../../src/base/durable/file-calls.ts";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { readOptions } from "../conformance/driver.ts";
import { batch, recipient } from "../support/build.ts";
import { systemError } from "../support/file-calls.ts";
import { fakeServices } from "../support/services.ts";

const ALICE = recipient("alice@example.com");

/** A disk that takes nothing. */
const TURN: DiskTurn = {
  places: false,
  hasFile: false,
  ask: () => Promise.reject(systemError("ENOSPC")),
};

function setUp(t: TestContext, lane: Partial<MaildirLane>, left?: LeftCopy) {
  const root = mkdtempSync(join(tmpdir(), "unseen-disks-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const asked: string[] = [];
  const maildirDisks: MaildirDisks = {
    lanes: {
      lane: (directory, top) => ({
        directory,
        isHung: false,
        admits: () => asked.push(`admits below ${top === root}`) > 0,
        run: (deliver) => deliver(TURN),
        onceAnswered: (key, callback) => {
          asked.push(`once answered: ${key.includes(directory)}`);
          callback();
        },
        ...lane,
      }),
    },
    copies: {
      find: () => left,
      leave: () => assert.fail("it is waited for"),
      forget: () => void asked.push("forget"),
    },
  };
  const options = readOptions(maildirAppend, { directory: `${root}/{local_part}` });
  const services = fakeServices({ maildirDisks });
  const transport = new MaildirAppend(options, services, nodeFileCalls);
  const deliver = async () => {
    const outcomes = await transport.deliver(batch([ALICE]), new AbortController().signal);
    return outcomes.get(ALICE.id);
  };
  const copies = () => {
    try {
      return readdirSync(join(root, "alice/new"));
    } catch {
      return [];
    }
  };
  return { deliver, copies, asked };
}

test("a copy is written in the lane of its Maildir, with the calls of its turn", async (t) => {
  const calls: string[] = [];
  const run: MaildirLane["run"] = (deliver) =>
    deliver({
      ...TURN,
      ask(request) {
        calls.push(request.op);
        return TURN.ask(request);
      },
    });
  const { deliver, asked, copies } = setUp(t, { run });
  const outcome = await deliver();
  assert.equal(outcome?.kind, "deferred");
  assert.ok(calls.length > 0);
  assert.deepEqual([asked, copies()], [["admits below true"], []]);
});

test("a lane that admits nothing is left alone", async (t) => {
  const { deliver, copies } = setUp(t, { admits: () => false, run: () => assert.fail("begun") });
  const outcome = await deliver();
  assert.ok(outcome?.kind === "deferred" && outcome.untried);
  assert.deepEqual(copies(), []);
});

test("a lane that hangs says when it answers", async (t) => {
  const { deliver, asked } = setUp(t, { admits: () => false, isHung: true });
  const outcome = await deliver();
  assert.ok(outcome?.kind === "deferred" && outcome.waitsFor !== undefined);
  assert.deepEqual(asked, ["once answered: true"]);
});

test("a copy that an earlier attempt has left is taken for this one's, and none is written", async (t) => {
  const left = { path: "/somewhere/new/1", written: Promise.resolve("/somewhere/new/1") };
  const { deliver, asked, copies } = setUp(t, { run: () => assert.fail("begun") }, left);
  assert.equal((await deliver())?.kind, "delivered");
  assert.deepEqual([asked, copies()], [["forget"], []]);
});
