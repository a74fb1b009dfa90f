// The order of things on disk, read off the system calls of the running relay: when it says 250 after DATA, every
// file and every directory entry that the message needs is synced; and a copy is synced, with its new name, before
// the journal or the log speak of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { dirname } from "node:path";
import { eventually } from "./eventually.ts";
import {
  cannotTrace,
  LARGE,
  MEDIUM,
  prepareGround,
  send,
  session,
  SMALL,
  trace,
} from "./durability.ts";

const CALLS =
  "openat,write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync," +
  "rename,renameat2,link,linkat,unlink,unlinkat,mkdir,ftruncate";

interface Event {
  readonly call: string;
  readonly text: string;
  /** Of the file that a descriptor stands for, or of the names that were given. */
  readonly paths: readonly string[];
}

/** Copies are written by way of descriptors: the name of one, and what follows it. */
const BY_DESCRIPTOR = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/;

/** The calls that succeeded, each at the time of its end. */
function eventsOf(log: string): Event[] {
  const begun = new Map<string, string>();
  const open = new Map<string, string>();
  const real = (path: string) => {
    const [, descriptor = "", rest = ""] = BY_DESCRIPTOR.exec(path) ?? [];
    return descriptor === "" ? path : `${open.get(descriptor) ?? "/unknown"}${rest}`;
  };
  return log.split("\n").flatMap((line) => {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(thread, rest.slice(0, -"<unfinished ...>".length));
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const text = resumed === undefined ? rest : `${begun.get(thread) ?? ""}${resumed}`;
    const call = /^\w+/.exec(text)?.[0];
    if (call === undefined || /= -1 E/.test(text)) return [];
    const [, opened = "", path] = /= (\d+)<([^>]+)>$/.exec(text) ?? [];
    if (path !== undefined) open.set(opened, path);
    const names = [...text.matchAll(/"(\/[^"]+)"/g)].map(([, name = ""]) => real(name));
    const descriptor = /^\w+\(\d+<([^>]+)>/.exec(text)?.[1] ?? path;
    return [{ call, text, paths: descriptor === undefined ? names : [descriptor] }];
  });
}

interface Order {
  /** Replies of 250 after DATA. */
  readonly acks: number;
  /** Files that were moved to the new/ of a Maildir. */
  readonly copies: number;
  /** Writes by which the journal of the spool says of a copy that it is delivered. */
  readonly entries: number;
  /** What breaks the promise, in words. */
  readonly found: readonly string[];
}

/** `within` is the directory that holds spool and Maildirs. */
function orderOf(events: readonly Event[], within: string): Order {
  const unsynced = new Set<string>();
  /** Opened so that each write to them is synced. */
  const synced = new Set<string>();
  const found: string[] = [];
  let acks = 0;
  let copies = 0;
  let entries = 0;
  const spool = join(within, "spool/");
  const mail = join(within, "mail/");
  /** No message needs these. */
  const spare = ["history", "lists"].map((name) => join(spool, name));
  const isOurs = (path: string) =>
    (path.startsWith(spool) && !spare.some((one) => path.startsWith(one))) || path.startsWith(mail);
  const dirty = (where: string) => [...unsynced].filter((path) => path.startsWith(where));
  const unsafe = () => dirty(mail).filter((path) => !path.slice(mail.length).includes("/tmp/"));
  const entry = `${mail}alicedelivered`;
  for (const { call, text, paths } of events) {
    const ours = paths.filter(isOurs);
    if (/^write\(\d+<socket:[^>]*>, "250 2\.0\.0 Ok, queued/.test(text)) {
      acks += 1;
      const behind = dirty(spool);
      if (behind.length > 0) found.push(`250 before ${behind.join(", ")}`);
    } else if (/^write\(.*(?:delivery\.done|message\.completed)/.test(text)) {
      const behind = unsafe();
      if (behind.length > 0) found.push(`the log before ${behind.join(", ")}`);
    } else if (/^(?:fsync|fdatasync)$/.test(call)) {
      for (const path of paths) unsynced.delete(path);
      for (const path of paths) unsynced.delete(`${path}/`);
    } else if (call.startsWith("rename")) {
      const [from = "", to = ""] = ours;
      if (unsynced.delete(from)) found.push(`${from} was renamed before it was synced`);
      if (to.startsWith(mail) && to.includes("/new/")) copies += 1;
      unsynced.add(`${dirname(to)}/`);
    } else if (/^(?:mkdir|link)/.test(call)) {
      for (const path of ours.slice(-1)) unsynced.add(`${dirname(path)}/`);
    } else if (call === "openat" && text.includes("O_CREAT")) {
      for (const path of ours) unsynced.add(`${dirname(path)}/`);
      if (text.includes("O_DSYNC")) for (const path of ours) synced.add(path);
    } else if (/write|ftruncate/.test(call)) {
      if (text.includes(entry)) {
        entries += 1;
        const behind = unsafe();
        if (behind.length > 0) found.push(`the journal before ${behind.join(", ")}`);
      }
      // The index of the log is built anew after a crash.
      for (const path of ours) {
        if (!path.endsWith("-shm") && !synced.has(path)) unsynced.add(path);
      }
    }
  }
  return { acks, copies, entries, found };
}

describe("the order checker", () => {
  const within = "/tmp/x";
  const good = [
    '1 openat(AT_FDCWD</>, "/tmp/x/spool/bodies/a", O_WRONLY|O_CREAT|O_EXCL, 0600) = 5</tmp/x/spool/bodies/a>',
    '1 write(5</tmp/x/spool/bodies/a>, "text", 4) = 4',
    "1 fsync(5</tmp/x/spool/bodies/a>) = 0",
    "1 fsync(6</tmp/x/spool/bodies>) = 0",
    '2 pwrite64(7</tmp/x/spool/spool.sqlite-wal>, "x", 1, 0) = 1',
    "2 fsync(7</tmp/x/spool/spool.sqlite-wal> <unfinished ...>",
    "2 <... fsync resumed>) = 0",
    '3 write(8<socket:[1]>, "250 2.0.0 Ok, queued as a", 24) = 24',
    '4 openat(AT_FDCWD</>, "/tmp/x/mail/alice/tmp", O_RDONLY|O_DIRECTORY) = 9</tmp/x/mail/alice/tmp>',
    '4 openat(AT_FDCWD</>, "/proc/self/fd/8/alice/new", O_RDONLY|O_DIRECTORY) = 10</tmp/x/mail/alice/new>',
    '4 openat(AT_FDCWD</>, "/proc/self/fd/9/b", O_WRONLY|O_CREAT|O_EXCL, 0600) = 11</tmp/x/mail/alice/tmp/b>',
    '4 write(11</tmp/x/mail/alice/tmp/b>, "text", 4) = 4',
    "4 fsync(11</tmp/x/mail/alice/tmp/b>) = 0",
    '4 rename("/proc/self/fd/9/b", "/proc/self/fd/10/b") = 0',
    "4 fsync(10</tmp/x/mail/alice/new>) = 0",
    '2 pwrite64(7</tmp/x/spool/spool.sqlite-wal>, "\\7/tmp/x/mail/alicedelivered", 25, 0) = 25',
    "2 fsync(7</tmp/x/spool/spool.sqlite-wal>) = 0",
    '5 write(1</tmp/x/log>, "{\\"event\\":\\"delivery.done\\"}", 25) = 25',
  ];
  const read = (lines: readonly string[]) => orderOf(eventsOf(lines.join("\n")), within);
  it("accepts the right order", () => {
    assert.deepEqual(read(good), { acks: 1, copies: 1, entries: 1, found: [] });
  });
  for (const [step, times] of [
    [2, 1],
    [3, 1],
    [6, 1],
    // Nothing may speak of a copy whose directory is not synced.
    [12, 1],
    [14, 2],
  ] as const) {
    it(`misses step ${step + 1} when it is left out, or comes too late`, () => {
      const without = good.filter((_, index) => index !== step);
      const late = [...without, good[step] ?? ""];
      for (const lines of [without, late]) assert.equal(read(lines).found.length, times);
    });
  }
  it("counts no copy whose calls it cannot see", () => {
    assert.equal(read(good.filter((line) => !line.startsWith("4 "))).copies, 0);
  });
});

describe("a 250, a log line and a journal entry", { skip: cannotTrace() }, () => {
  it("come when all that they speak of is synced", async () => {
    // The mail of the first waits, so that the journal has to say of its copy that it is done.
    let refused = 0;
    await using ground = await prepareGround({ isBusy: () => refused++ === 0 });
    const relay = await ground.start();
    const file = join(ground.directory, "trace");
    // A page of the spool as a whole.
    const options = ["-y", "-s", "8192", "-e", `trace=${CALLS}`, "-o", file];
    const tracing = await trace(relay.pid, options);
    using wire = await session(ground.port);
    const sizes = [SMALL, LARGE, MEDIUM, SMALL, LARGE, MEDIUM];
    const completed = () => relay.log().split('"message.completed"').length - 1;
    for (const [index, size] of sizes.entries()) {
      assert.match(await send(wire, index + 1, size), /^250 /);
      await eventually("it is delivered", () => completed() === index + 1);
    }
    await tracing.stop();
    const events = eventsOf(readFileSync(file, "latin1"));
    const { acks, copies, entries, found } = orderOf(events, ground.directory);
    assert.equal(acks, sizes.length);
    assert.equal(copies, sizes.length);
    assert.ok(entries > 0, "the journal was not seen");
    assert.deepEqual(found, []);
  });
});
