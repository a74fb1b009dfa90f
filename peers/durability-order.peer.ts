// The order of things on disk, read off the system calls of the running relay: when it says 250 after DATA, every
// file and every directory entry that the message needs is synced; and a copy is synced, with its new name, before
// the journal or the log speak of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { dirname } from "node:path";
import { eventually } from "./eventually.ts";
import { cannotTrace, LARGE, prepareGround, send, session, SMALL, trace } from "./durability.ts";

const CALLS =
  "openat,write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync," +
  "rename,renameat2,link,linkat,unlink,unlinkat,mkdir,ftruncate";

interface Event {
  readonly call: string;
  readonly text: string;
  /** Of the file that a descriptor stands for, or of the names that were given. */
  readonly paths: readonly string[];
}

/** The calls that succeeded, each at the time of its end. */
function eventsOf(log: string): Event[] {
  const begun = new Map<string, string>();
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
    const names = [...text.matchAll(/"(\/[^"]+)"/g)].map(([, name = ""]) => name);
    const descriptor = /^\w+\(\d+<([^>]+)>/.exec(text)?.[1];
    return [{ call, text, paths: descriptor === undefined ? names : [descriptor] }];
  });
}

/** What breaks the promise, in words. `within` is the directory that holds spool and Maildirs. */
function violationsOf(events: readonly Event[], within: string): { acks: number; found: string[] } {
  const unsynced = new Set<string>();
  /** Opened so that each write to them is synced. */
  const synced = new Set<string>();
  const found: string[] = [];
  let acks = 0;
  const spool = join(within, "spool/");
  const mail = join(within, "mail/");
  const isOurs = (path: string) => path.startsWith(spool) || path.startsWith(mail);
  const dirty = (where: string) => [...unsynced].filter((path) => path.startsWith(where));
  for (const { call, text, paths } of events) {
    const ours = paths.filter(isOurs);
    if (/^write\(\d+<socket:[^>]*>, "250 2\.0\.0 Ok, queued/.test(text)) {
      acks += 1;
      const behind = dirty(spool);
      if (behind.length > 0) found.push(`250 before ${behind.join(", ")}`);
    } else if (/^write\(.*(?:delivery\.done|message\.completed)/.test(text)) {
      const behind = dirty(mail).filter((path) => !path.includes("/tmp/"));
      if (behind.length > 0) found.push(`the log before ${behind.join(", ")}`);
    } else if (/^(?:fsync|fdatasync)$/.test(call)) {
      for (const path of paths) unsynced.delete(path);
      for (const path of paths) unsynced.delete(`${path}/`);
    } else if (call.startsWith("rename")) {
      const [from = "", to = ""] = ours;
      if (unsynced.delete(from)) found.push(`${from} was renamed before it was synced`);
      unsynced.add(`${dirname(to)}/`);
    } else if (/^(?:mkdir|link)/.test(call)) {
      for (const path of ours.slice(-1)) unsynced.add(`${dirname(path)}/`);
    } else if (call === "openat" && text.includes("O_CREAT")) {
      for (const path of ours) unsynced.add(`${dirname(path)}/`);
      if (text.includes("O_DSYNC")) for (const path of ours) synced.add(path);
    } else if (/write|ftruncate/.test(call)) {
      // The index of the log is built anew after a crash.
      for (const path of ours) {
        if (!path.endsWith("-shm") && !synced.has(path)) unsynced.add(path);
      }
    }
  }
  return { acks, found };
}

describe("the order checker", () => {
  const within = "/x";
  const good = [
    '1 openat(AT_FDCWD</>, "/x/spool/bodies/a", O_WRONLY|O_CREAT|O_EXCL, 0600) = 5</x/spool/bodies/a>',
    '1 write(5</x/spool/bodies/a>, "text", 4) = 4',
    "1 fsync(5</x/spool/bodies/a>) = 0",
    "1 fsync(6</x/spool/bodies>) = 0",
    '2 pwrite64(7</x/spool/spool.sqlite-wal>, "x", 1, 0) = 1',
    "2 fsync(7</x/spool/spool.sqlite-wal> <unfinished ...>",
    "2 <... fsync resumed>) = 0",
    '3 write(8<socket:[1]>, "250 2.0.0 Ok, queued as a", 24) = 24',
  ];
  it("accepts the right order", () => {
    assert.deepEqual(violationsOf(eventsOf(good.join("\n")), within), { acks: 1, found: [] });
  });
  for (const step of [2, 3, 6]) {
    it(`misses step ${step + 1} when it is left out, or comes after the 250`, () => {
      const without = good.filter((_, index) => index !== step);
      const late = [...without, good[step] ?? ""];
      for (const lines of [without, late]) {
        assert.equal(violationsOf(eventsOf(lines.join("\n")), within).found.length, 1);
      }
    });
  }
});

describe("a 250, a log line and a journal entry", { skip: cannotTrace() }, () => {
  it("come when all that they speak of is synced", async () => {
    await using ground = await prepareGround();
    const relay = await ground.start();
    const file = join(ground.directory, "trace");
    const tracing = await trace(relay.pid, ["-y", "-s", "600", "-e", `trace=${CALLS}`, "-o", file]);
    using wire = await session(ground.port);
    const sizes = [SMALL, LARGE, SMALL, LARGE, SMALL];
    for (const [index, size] of sizes.entries()) {
      assert.match(await send(wire, index + 1, size), /^250 /);
      await eventually("it is delivered", () => ground.arrived().length === index + 1);
    }
    const completed = () => relay.log().split('"message.completed"').length - 1;
    await eventually("the queue is empty", () => completed() === sizes.length);
    await tracing.stop();
    const { acks, found } = violationsOf(eventsOf(readFileSync(file, "latin1")), ground.directory);
    assert.equal(acks, sizes.length);
    assert.deepEqual(found, []);
  });
});
