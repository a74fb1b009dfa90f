// What a copy does after an attempt that the relay did not survive: it may be in the Maildir already.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { placeText } from "../../src/mail/place.ts";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { readOptions } from "../conformance/driver.ts";
import { manualClock } from "../support/clock.ts";
import { faultyCalls, systemError } from "../support/file-calls.ts";
import { batch, envelope, recipient } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";

const BOB = recipient("bob@example.com");
const CAROL = recipient("carol@example.com", { account: BOB.account });
const AGAIN = { interrupted: true } as const;

function setup(t: TestContext, fails?: string) {
  const base = mkdtempSync(join(tmpdir(), "unseen-interrupted-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const options = readOptions(maildirAppend, { directory: `${base}/{local_part}` });
  const calls = faultyCalls((name) => {
    if (name === fails) throw systemError("EIO");
  });
  const services = fakeServices({ clock: manualClock() });
  const never = new AbortController().signal;
  const start = () => {
    const transport = new MaildirAppend(options, services, calls);
    return async (...given: Parameters<typeof batch>) =>
      (await transport.deliver(batch(...given), never)).get(BOB.id);
  };
  const files = (name: string) => readdirSync(join(base, "bob", name));
  return { maildir: join(base, "bob"), calls, start, files };
}

test("a file that the interrupted attempt left is not written again, and is made durable", async (t) => {
  const { calls, start, files } = setup(t);
  const before = await start()([BOB]);
  const made = calls.made.length;
  const after = await start()([BOB], AGAIN);
  assert.deepEqual(after, before);
  assert.equal(files("new").length, 1);
  const since = calls.made.slice(made);
  assert.ok(!since.includes("write") && since.at(-2) === "fsync", since.join(" "));
});

test("a reader may have moved it to cur/ and given it flags", async (t) => {
  const { maildir, start, files } = setup(t);
  await start()([BOB]);
  const [name = ""] = files("new");
  renameSync(join(maildir, "new", name), join(maildir, "cur", `${name}:2,FS`));
  const outcome = await start()([BOB], AGAIN);
  assert.equal(outcome?.kind, "delivered");
  assert.equal(
    basename(outcome.place === undefined ? "" : placeText(outcome.place)),
    `${name}:2,FS`,
  );
  assert.deepEqual(files("new"), []);
});

test("what a reader has deleted comes once more: none would be worse than two", async (t) => {
  const { maildir, start, files } = setup(t);
  await start()([BOB]);
  rmSync(join(maildir, "new"), { recursive: true });
  mkdirSync(join(maildir, "new"));
  await start()([BOB], AGAIN);
  assert.equal(files("new").length, 1);
});

test("a file in tmp/ is no delivery", async (t) => {
  const { maildir, start, files } = setup(t);
  await start()([BOB]);
  const [name = ""] = files("new");
  renameSync(join(maildir, "new", name), join(maildir, "tmp", name));
  writeFileSync(join(maildir, "tmp", name), "torn");
  await start()([BOB], AGAIN);
  assert.equal(files("new").length, 1);
});

test("another message is not taken for it; the same one for more recipients is", async (t) => {
  const { start, files } = setup(t);
  await start()([BOB]);
  await start()([BOB], { ...AGAIN, envelope: envelope({ id: "0000000002" }) });
  await start()([BOB, CAROL], AGAIN);
  assert.equal(files("new").length, 2);
});

test("a Maildir that cannot be read defers the copy", async (t) => {
  const { start, files } = setup(t, "names");
  await start()([BOB]);
  assert.equal((await start()([BOB], AGAIN))?.kind, "deferred");
  assert.equal(files("new").length, 1);
});

test("in normal times no directory is read", async (t) => {
  const { calls, start } = setup(t);
  await start()([BOB]);
  assert.ok(!calls.made.includes("names"));
});
