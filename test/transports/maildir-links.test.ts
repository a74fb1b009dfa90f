// Users who may write into their Maildirs put symbolic links there: none leads the relay anywhere.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { placeText } from "../../src/mail/place.ts";
import { Worker } from "node:worker_threads";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { readOptions } from "../conformance/driver.ts";
import { manualClock } from "../support/clock.ts";
import { batch, envelope, recipient } from "../support/build.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

const MALLORY = 54_321;
const isRoot = process.geteuid?.() === 0;
const skip = process.platform !== "linux" || !isRoot;
const never = new AbortController().signal;
const TO_MALLORY = recipient("mallory@example.com");
const TO_BOB = recipient("bob@example.com");
const PARTS = ["tmp", "new", "cur"];

function setup(t: TestContext, directory = "{domain}/{local_part}", root = "mail") {
  const base = mkdtempSync(join(tmpdir(), "unseen-links-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const log = recordingLog();
  const clock = manualClock();
  const options = readOptions(maildirAppend, { directory: join(base, root, directory) });
  const transport = new MaildirAppend(options, fakeServices({ log, clock }));
  const deliver = async (to = TO_MALLORY, id = "0000000001") =>
    (await transport.deliver(batch([to], { envelope: envelope({ id }) }), never)).get(to.id);
  const at = (...names: string[]) => join(base, ...names);
  return { base, at, clock, deliver, log };
}

function makeMaildir(path: string, owner = 0): string {
  for (const name of ["", ...PARTS]) {
    mkdirSync(join(path, name), { recursive: true });
    chownSync(join(path, name), owner, owner);
  }
  return path;
}

function link(target: string, path: string, owner = 0): void {
  symlinkSync(target, path);
  lchownSync(path, owner, owner);
}

/** Files anywhere below a directory. */
function files(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

describe("a link in the place of a part of a Maildir", { skip }, () => {
  for (const part of ["tmp", "new"]) {
    for (const owner of [0, MALLORY]) {
      for (const known of [false, true]) {
        const when = known ? "after a delivery" : "before the first";
        test(`${part}, of uid ${owner}, put there ${when}`, async (t) => {
          const { at, clock, deliver, log } = setup(t);
          const bob = makeMaildir(at("mail", "example.com", "bob"));
          const mallory = makeMaildir(at("mail", "example.com", "mallory"), MALLORY);
          if (known) assert.equal((await deliver())?.kind, "delivered");
          const before = files(mallory).length;
          rmSync(join(mallory, part), { recursive: true });
          link("../bob/new", join(mallory, part), owner);
          for (const pause of [0, 5000]) {
            clock.advance(pause);
            const outcome = await deliver(TO_MALLORY, `000000001${pause}`.slice(-10));
            assert.ok(outcome?.kind === "deferred", JSON.stringify(outcome));
            assert.equal(outcome.status.code, 451);
          }
          assert.deepEqual(files(bob), []);
          assert.ok(files(mallory).length <= before);
          assert.match(
            JSON.stringify(log.named("relay.error")),
            /is a symbolic link, and not followed/,
          );
        });
      }
    }
  }

  test("cur, where an interrupted attempt is looked for", async (t) => {
    const { at, deliver, log } = setup(t);
    const mallory = makeMaildir(at("mail", "example.com", "mallory"), MALLORY);
    rmSync(join(mallory, "cur"), { recursive: true });
    link(makeMaildir(at("other")), join(mallory, "cur"), MALLORY);
    assert.equal((await deliver())?.kind, "delivered");
    assert.deepEqual(files(at("other")), []);
    assert.deepEqual(log.named("relay.error"), []);
  });

  test("to a directory of the system: no file is made there", async (t) => {
    const { at, deliver } = setup(t);
    const mallory = makeMaildir(at("mail", "example.com", "mallory"), MALLORY);
    mkdirSync(at("cron.d"));
    rmSync(join(mallory, "tmp"), { recursive: true });
    link(at("cron.d"), join(mallory, "tmp"), MALLORY);
    assert.equal((await deliver())?.kind, "deferred");
    assert.deepEqual(readdirSync(at("cron.d")), []);
  });
});

describe("a link in the place of a Maildir, or of a directory above it", { skip }, () => {
  const cases: readonly [what: string, make: (at: (...names: string[]) => string) => void][] = [
    ["of a user", (at) => link("bob", at("mail/example.com/mallory"), MALLORY)],
    [
      "of root, where others may write",
      (at) => {
        link("bob", at("mail/example.com/mallory"));
        chmodSync(at("mail/example.com"), 0o1777);
      },
    ],
    [
      "of root, in a directory of a user",
      (at) => {
        link("bob", at("mail/example.com/mallory"));
        chownSync(at("mail/example.com"), MALLORY, MALLORY);
      },
    ],
    ["that leads nowhere", (at) => link("nowhere", at("mail/example.com/mallory"), MALLORY)],
    [
      "one directory up",
      (at) => {
        renameSync(at("mail/example.com"), at("domain"));
        makeMaildir(at("domain/mallory"));
        link(at("domain"), at("mail/example.com"), MALLORY);
      },
    ],
  ];
  for (const [what, make] of cases) {
    test(`${what} is not followed`, async (t) => {
      const { at, deliver, log } = setup(t);
      makeMaildir(at("mail", "example.com", "bob"));
      make(at);
      assert.equal((await deliver())?.kind, "deferred");
      assert.deepEqual(files(at()), []);
      assert.match(
        JSON.stringify(log.named("relay.error")),
        /is a symbolic link, and not followed: /,
      );
    });
  }

  test("of the postmaster, to another disk, is followed", async (t) => {
    const { at, deliver } = setup(t);
    makeMaildir(at("disk2", "mallory"), MALLORY);
    mkdirSync(at("mail/example.com"), { recursive: true });
    link(at("disk2/mallory"), at("mail/example.com/mallory"));
    assert.equal((await deliver())?.kind, "delivered");
    assert.equal(files(at("disk2/mallory")).length, 1);
  });

  test("and a link inside of what it leads to is still none", async (t) => {
    const { at, deliver } = setup(t);
    makeMaildir(at("disk2", "mallory"), MALLORY);
    const bob = makeMaildir(at("mail", "example.com", "bob"));
    link(at("disk2/mallory"), at("mail/example.com/mallory"));
    rmSync(at("disk2/mallory/new"), { recursive: true });
    link(join(bob, "new"), at("disk2/mallory/new"), MALLORY);
    assert.equal((await deliver())?.kind, "deferred");
    assert.deepEqual(files(bob), []);
  });

  test("the root may be a link, and what is above it", async (t) => {
    const { at, deliver } = setup(t, "{domain}/{local_part}", "link/root");
    mkdirSync(at("disk", "root2"), { recursive: true });
    link(at("disk"), at("link"), MALLORY);
    link("root2", at("disk", "root"), MALLORY);
    assert.equal((await deliver())?.kind, "delivered");
    assert.equal(files(at("disk", "root2")).length, 1);
  });

  test(".Sent in a Maildir of a user", async (t) => {
    const { at, deliver } = setup(t, "{domain}/{local_part}/.Sent");
    const bob = makeMaildir(at("mail", "example.com", "bob"));
    makeMaildir(at("mail", "example.com", "mallory"), MALLORY);
    link(bob, at("mail/example.com/mallory/.Sent"), MALLORY);
    assert.equal((await deliver())?.kind, "deferred");
    assert.deepEqual(files(bob), []);
  });
});

/** Makes `new` a directory and a link in turn, as fast as it can, until it is terminated. */
const FLIPPER = `
const { renameSync, symlinkSync, lchownSync, mkdirSync, rmSync } = require("node:fs");
const { mallory, target, uid } = require("node:worker_threads").workerData;
for (;;) {
  for (const part of ["new", "tmp"]) {
    try {
      renameSync(mallory + "/" + part, mallory + "/aside");
      symlinkSync(target, mallory + "/" + part);
      lchownSync(mallory + "/" + part, uid, uid);
      rmSync(mallory + "/" + part);
      renameSync(mallory + "/aside", mallory + "/" + part);
    } catch {}
  }
}`;

test("a link that comes and goes while mail is delivered", { skip }, async (t) => {
  const { at, clock, deliver } = setup(t);
  const bob = makeMaildir(at("mail", "example.com", "bob"));
  const mallory = makeMaildir(at("mail", "example.com", "mallory"), MALLORY);
  const workerData = { mallory, target: join(bob, "new"), uid: MALLORY };
  const flipper = new Worker(FLIPPER, { eval: true, workerData });
  try {
    const kinds = new Set<string | undefined>();
    for (let round = 0; round < 150; round++) {
      kinds.add((await deliver(TO_MALLORY, String(round).padStart(10, "0")))?.kind);
      clock.advance(1500);
    }
    assert.ok(kinds.has("delivered"));
  } finally {
    await flipper.terminate();
  }
  assert.deepEqual(files(bob), []);
});

function pathOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

describe("directories that stay open", { skip: process.platform !== "linux" }, () => {
  test("are closed soon after their last use, and never many", async (t) => {
    const { base, clock, deliver } = setup(t);
    const open = () =>
      readdirSync("/proc/self/fd").filter((fd) => pathOf(fd).startsWith(base)).length;
    for (let round = 0; round < 120; round++) {
      await deliver(recipient(`user${round}@example.com`));
    }
    assert.ok(open() > 0 && open() <= 201, String(open()));
    clock.advance(60_000);
    await new Promise(setImmediate);
    assert.equal(open(), 0);
    assert.equal(clock.pending, 0);
  });

  test("do not hide that the Maildir has been replaced, or removed", async (t) => {
    const { at, clock, deliver } = setup(t);
    assert.equal((await deliver(TO_BOB))?.kind, "delivered");
    renameSync(at("mail/example.com/bob"), at("old"));
    makeMaildir(at("mail/example.com/bob"));
    clock.advance(1500);
    assert.equal((await deliver(TO_BOB, "0000000002"))?.kind, "delivered");
    assert.equal(files(at("old")).length, 1);
    assert.equal(files(at("mail/example.com/bob")).length, 1);

    rmSync(at("mail/example.com/bob"), { recursive: true });
    const outcome = await deliver(TO_BOB, "0000000003");
    assert.ok(outcome?.kind === "delivered", JSON.stringify(outcome));
    assert.equal(
      statSync(outcome.place === undefined ? "" : placeText(outcome.place)).isFile(),
      true,
    );
  });

  test("a file in the way is an error that names it", async (t) => {
    const { at, deliver, log } = setup(t);
    makeMaildir(at("mail/example.com/bob"));
    rmSync(at("mail/example.com/bob/new"), { recursive: true });
    writeFileSync(at("mail/example.com/bob/new"), "");
    assert.equal((await deliver(TO_BOB))?.kind, "deferred");
    assert.match(JSON.stringify(log.named("relay.error")), /ENOTDIR: .*example\.com\/bob\/new/);
  });
});
