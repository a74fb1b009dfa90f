import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageReader } from "../../../src/smtp/server/message-reader.ts";
import { IncomingMessage } from "../../../src/smtp/server/incoming-message.ts";
import { status } from "../../../src/mail/status.ts";

const TAKEN = status(250, "0.0", "Ok");

function stage(write: (piece: Buffer) => Promise<void> | undefined = () => undefined) {
  const pieces: string[] = [];
  let aborted = 0;
  const sink = {
    write(piece: Buffer) {
      pieces.push(piece.toString("latin1"));
      return write(piece);
    },
    finish: () => Promise.resolve(TAKEN),
    abort: () => void aborted++,
  };
  const incoming = new IncomingMessage(new MessageReader(1_000_000, 64 * 1024), sink, 0);
  return { pieces, incoming, aborted: () => aborted };
}

function send(incoming: IncomingMessage, text: string, pieceSize: number): void {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += pieceSize) {
    // The octets of a chunk that was read are not those of the next one.
    incoming.read(Buffer.from(bytes.subarray(at, at + pieceSize)));
  }
}

const LETTER = `Subject: x\r\n\r\n${"a line of a letter\r\n".repeat(1000)}`;

test("a message that comes octet by octet is a few pieces, in whatever mix it comes", async () => {
  for (const sizes of [[1], [7], [1023], [1024], [1, 3000], [5000, 2, 1]]) {
    const { pieces, incoming } = stage();
    const text = `${LETTER}.\r\n`;
    for (let at = 0, n = 0; at < text.length; n++) {
      const size = sizes[n % sizes.length] ?? 1;
      send(incoming, text.slice(at, at + size), size);
      at += size;
    }
    assert.equal(await incoming.finish(), TAKEN);
    assert.equal(pieces.join(""), LETTER, sizes.join());
    const most = sizes.some((size) => size >= 1024) ? LETTER.length / 512 : LETTER.length / 3000;
    assert.ok(pieces.length <= 65 + most, `${pieces.length} pieces`);
  }
});

test("an ordinary message is one piece, as it was read", async () => {
  const { pieces, incoming } = stage();
  send(incoming, "Subject: x\r\n\r\nhello\r\n.\r\n", 1000);
  await incoming.finish();
  assert.deepEqual(pieces, ["Subject: x\r\n\r\nhello\r\n"]);
});

test("the first pieces go on at once, however small they are", () => {
  const { pieces, incoming } = stage();
  for (const piece of ["S", "ubject", ": x\r\n"]) {
    send(incoming, piece, 100);
    assert.equal(pieces.at(-1), piece);
  }
});

test("what fails at the last piece is heard of", async () => {
  const { incoming, aborted } = stage(() => Promise.reject(new Error("the disk is gone")));
  send(incoming, `${"x".repeat(100)}\r\n.\r\n`, 1);
  await assert.rejects(incoming.finish(), /the disk is gone/);
  assert.equal(aborted(), 1);
});

/** A sink that has not taken a piece before `take` is called, and a message that gave it two pieces at once. */
function twoAtOnce() {
  const waiting: (() => void)[] = [];
  const staged = stage(() => new Promise<void>((taken) => void waiting.push(taken)));
  const { incoming, pieces } = staged;
  for (let piece = 0; piece < 64; piece++) {
    incoming.read(Buffer.from("x"));
    incoming.ready = undefined;
  }
  pieces.length = 0;
  incoming.read(Buffer.from("small"));
  incoming.read(Buffer.from("large".repeat(1000)));
  const take = async () => {
    for (const taken of waiting.splice(0)) taken();
    await new Promise(setImmediate);
  };
  return { ...staged, take };
}

test("the sink gets a piece only when it has taken the one before", async () => {
  const { incoming, pieces, take } = twoAtOnce();
  assert.deepEqual(pieces, ["small"]);
  await take();
  assert.deepEqual(pieces, ["small", "large".repeat(1000)]);
  incoming.read(Buffer.from("\r\nend\r\n.\r\n"));
  const reply = incoming.finish();
  assert.equal(pieces.length, 2);
  await take();
  assert.equal(pieces.at(-1), "\r\nend\r\n");
  await take();
  assert.equal(await reply, TAKEN);
});

test("a message that is given up gives the sink nothing more", async () => {
  const { incoming, pieces, aborted, take } = twoAtOnce();
  incoming.abort();
  await take();
  assert.deepEqual([pieces, aborted()], [["small"], 1]);
});
