// Every system call of a delivery is made to fail, one after the other. Whatever fails: the copy is deferred,
// nothing stands in new/ or tmp/, nothing stays open, and the next attempt delivers.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import type { Body } from "../../src/mail/envelope.ts";
import { type FileCalls, nodeFileCalls, SYNCED_WRITES } from "../../src/base/durable/file-calls.ts";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { readOptions } from "../conformance/driver.ts";
import { faultyCalls, systemError } from "../support/file-calls.ts";
import { batch, inlineBody, MESSAGE, recipient, streamedBody } from "../support/build.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

const never = new AbortController().signal;
const BOB = recipient("bob@example.com");
const BODIES: Readonly<Record<string, Body>> = {
  "a body in memory": inlineBody(),
  "a body in pieces": streamedBody(MESSAGE, 50),
};

function setup(t: TestContext, calls: FileCalls) {
  const root = mkdtempSync(join(tmpdir(), "unseen-faults-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const options = readOptions(maildirAppend, { directory: `${root}/{domain}/{local_part}` });
  const log = recordingLog();
  const maildir = join(root, "example.com", "bob");
  return { maildir, log, transport: new MaildirAppend(options, fakeServices({ log }), calls) };
}

function filesIn(maildir: string, name: "tmp" | "new"): string[] {
  try {
    return readdirSync(join(maildir, name));
  } catch {
    return [];
  }
}

/** The calls of a delivery in which nothing fails. */
async function callsOf(t: TestContext, body: Body): Promise<readonly string[]> {
  const calls = faultyCalls(() => undefined);
  const { transport } = setup(t, calls);
  await transport.deliver(batch([BOB], { body }), never);
  return calls.made;
}

for (const [kind, body] of Object.entries(BODIES)) {
  test(`${kind}: the file is synced before it is renamed, and its directory after`, async (t) => {
    const calls = faultyCalls(() => undefined);
    const { transport } = setup(t, calls);
    await transport.deliver(batch([BOB]), never);
    const first = calls.made.length;
    await transport.deliver(batch([BOB], { body }), never);
    const made = calls.made.slice(first).join(" ");
    const isSynced = SYNCED_WRITES !== undefined && body.inline !== undefined;
    const file = isSynced ? "open synced write" : "open (write )+fsync";
    assert.match(made, new RegExp(`^${file} close rename open fsync close$`));
  });
}

test("a directory that is made is synced, and so is the one that holds it", async (t) => {
  const made = await callsOf(t, inlineBody());
  const prepared = made.slice(0, made.indexOf("write") - 1);
  // The root, the domain and the account, each in turn; then the three of the Maildir together.
  const sync = "open fsync close";
  const expected = `mkdir mkdir ${sync} mkdir ${sync} mkdir mkdir mkdir ${sync}`;
  assert.equal(prepared.join(" "), expected);
});

test("directories that were there are synced once: their maker may have been killed too soon", async (t) => {
  const { maildir, transport: maker } = setup(
    t,
    faultyCalls(() => undefined),
  );
  await maker.deliver(batch([BOB]), never);
  const calls = faultyCalls(() => undefined);
  const directory = join(maildir, "..", "..", "{domain}", "{local_part}");
  const options = readOptions(maildirAppend, { directory });
  const transport = new MaildirAppend(options, fakeServices(), calls);
  await transport.deliver(batch([BOB]), never);
  const syncs = calls.made.slice(0, calls.made.indexOf("write")).filter((name) => name === "fsync");
  assert.equal(syncs.length, 3, "the root, the domain and the Maildir");
});

for (const [kind, body] of Object.entries(BODIES)) {
  describe(`${kind}, a fault in every call`, () => {
    for (const code of ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "EACCES"]) {
      test(`${code} defers, leaves nothing behind, and the next attempt delivers`, async (t) => {
        const total = (await callsOf(t, body)).length;
        assert.ok(total > 12);
        for (let failing = 0; failing < total; failing++) {
          const calls = faultyCalls((_name, index) => {
            if (index === failing) throw systemError(code);
          });
          const { maildir, log, transport } = setup(t, calls);
          const outcome = (await transport.deliver(batch([BOB], { body }), never)).get(BOB.id);
          const where = `${calls.made[failing]} ${failing}`;
          assert.ok(outcome?.kind === "deferred" && outcome.freeze === undefined, where);
          assert.equal(outcome.status.code, code === "ENOSPC" || code === "EDQUOT" ? 452 : 451);
          assert.equal(outcome.error, code === "EDQUOT" ? "quota" : undefined);
          assert.deepEqual(filesIn(maildir, "new"), [], where);
          assert.deepEqual(filesIn(maildir, "tmp"), [], where);
          assert.equal(calls.descriptors.size, 0, where);
          assert.ok(!calls.made.includes("close again"), where);
          assert.match(JSON.stringify(log.named("relay.error")), new RegExp(code), where);

          const again = (await transport.deliver(batch([BOB], { body }), never)).get(BOB.id);
          assert.equal(again?.kind, "delivered", where);
          assert.equal(filesIn(maildir, "new").length, 1);
          assert.equal(calls.descriptors.size, 0);
        }
      });
    }

    test("an error without a code defers as well", async (t) => {
      const calls = faultyCalls((name) => {
        if (name === "fsync") throw new TypeError("a bug of ours");
      });
      const { transport } = setup(t, calls);
      const outcome = (await transport.deliver(batch([BOB], { body }), never)).get(BOB.id);
      assert.equal(outcome?.kind, "deferred");
    });

    test("an abort during any call either delivers or leaves nothing behind", async (t) => {
      const total = (await callsOf(t, body)).length;
      const seen = new Set<string>();
      for (let aborted = 0; aborted < total; aborted++) {
        const controller = new AbortController();
        const calls = faultyCalls((_name, index) => {
          if (index === aborted) controller.abort();
        });
        const { maildir, transport } = setup(t, calls);
        const outcome = (await transport.deliver(batch([BOB], { body }), controller.signal)).get(
          BOB.id,
        );
        assert.ok(outcome !== undefined);
        seen.add(outcome.kind);
        assert.equal(filesIn(maildir, "new").length, outcome.kind === "delivered" ? 1 : 0);
        assert.deepEqual(filesIn(maildir, "tmp"), []);
        assert.equal(calls.descriptors.size, 0);
      }
      assert.deepEqual([...seen].toSorted(), ["deferred", "delivered"]);
    });

    test("a system that writes a few bytes at a time gets it all", async (t) => {
      const short: FileCalls = {
        ...nodeFileCalls,
        write: (fd, bytes, offset, length) =>
          nodeFileCalls.write(fd, bytes, offset, Math.min(length, 7)),
      };
      const { maildir, transport } = setup(t, short);
      await transport.deliver(batch([BOB], { body }), never);
      const [name] = filesIn(maildir, "new");
      const text = readFileSync(join(maildir, "new", name ?? ""), "utf8");
      assert.equal(text, MESSAGE.toString().replaceAll("\r\n", "\n"));
    });
  });
}

test("a name that is taken is passed over for another", async (t) => {
  let taken = 3;
  const calls: FileCalls = {
    ...nodeFileCalls,
    open: (path, flags, mode) => {
      if (path.includes("/tmp/1") && taken-- > 0) return Promise.reject(systemError("EEXIST"));
      return nodeFileCalls.open(path, flags, mode);
    },
  };
  const { transport } = setup(t, calls);
  const outcome = (await transport.deliver(batch([BOB]), never)).get(BOB.id);
  assert.equal(outcome?.kind, "delivered");
  assert.ok(taken < 0);
});

test("what cannot be cleaned up is logged, beside the first error", async (t) => {
  const calls = faultyCalls((name) => {
    if (name === "rename") throw systemError("EIO");
    if (name === "unlink") throw systemError("EROFS");
  });
  const { maildir, log, transport } = setup(t, calls);
  const outcome = (await transport.deliver(batch([BOB]), never)).get(BOB.id);
  assert.equal(outcome?.kind, "deferred");
  assert.equal(filesIn(maildir, "tmp").length, 1);
  assert.match(JSON.stringify(log.named("relay.error")), /EROFS.*EIO/);
});

test("a system that writes nothing and calls it success does not hold up the relay", async (t) => {
  const calls: FileCalls = {
    ...nodeFileCalls,
    write: () => Promise.resolve({ bytesWritten: 0 }),
  };
  const { transport } = setup(t, calls);
  const outcome = (await transport.deliver(batch([BOB]), never)).get(BOB.id);
  assert.equal(outcome?.kind, "deferred");
});
