import assert from "node:assert/strict";
import { test } from "node:test";
import { FileNames, keyIn } from "../../src/maildir/file-names.ts";
import { manualClock } from "../support/clock.ts";
import { envelope, mailbox } from "../support/build.ts";

const KEY = "E0123456789Gc0ffee00";

test("a name has time, delivery, process, count, random number and host", () => {
  const names = new FileNames(manualClock(1_767_225_600_123), "mx.example.com");
  const shape = /^1767225600\.M123000E0123456789Gc0ffee00P(\d+)Q1R[0-9a-f]{16}\.mx\.example\.com$/;
  const [, pid] = shape.exec(names.next(KEY)) ?? [];
  assert.equal(Number(pid), process.pid);
});

test("names differ though the clock stands still, in one process and in two", () => {
  const clock = manualClock();
  const makers = [new FileNames(clock, "mx"), new FileNames(clock, "mx")];
  const names = new Set(
    makers.flatMap((maker) => Array.from({ length: 1000 }, () => maker.next(KEY))),
  );
  assert.equal(names.size, 2000);
});

test("slash and colon of a host name are escaped, and a long one leaves room for the tag", () => {
  assert.match(new FileNames(manualClock(), "a/b:c").next(KEY), /\.a\\057b\\072c$/);
  const long = new FileNames(manualClock(), "x".repeat(253)).next(KEY);
  assert.ok(long.length <= 210);
});

test("the key of a message is the same in another process, and is read from the name", () => {
  const key = new FileNames(manualClock(), "mx").key(envelope());
  const again = new FileNames(manualClock(1), "mx");
  assert.equal(again.key(envelope()), key);
  assert.equal(keyIn(`${again.next(key)},S=12:2,FS`), key);
  assert.equal(keyIn("1767225600.M123000P4711Q1R00c0ffee.mx.example.com"), undefined);
});

test("another message and another relay have other keys", () => {
  const names = new FileNames(manualClock(), "mx");
  const keys = [
    names.key(envelope()),
    names.key(envelope({ id: "0000000002" })),
    names.key(envelope({ size: 1 })),
    names.key(envelope({ sender: mailbox("eve@example.net") })),
    new FileNames(manualClock(), "mx2").key(envelope()),
  ];
  assert.equal(new Set(keys).size, keys.length);
});
