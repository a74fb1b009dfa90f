// The delivery headers on top of a copy: what the writer wrote, and nothing of the message below.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deliveryHeaders } from "../../src/maildir/delivery-headers.ts";
import { readDeliveryHeaders } from "../../src/maildir/read-delivery-headers.ts";
import { mailbox, recipient } from "../support/build.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const STRANGERS =
  "Return-path: <evil@example.com>\nEnvelope-to: evil@example.com\nDelivery-date: Fri, 02 Jan 1998 03:04:05 +0000\n";
const MESSAGE = `Received: from x by y; Fri, 02 Jan 2026 03:04:05 +0000\n${STRANGERS}\nbody\n`;

const read = (text: string) => readDeliveryHeaders(Buffer.from(text, "utf8"));

describe("delivery headers", () => {
  for (let wanted = 0; wanted < 8; wanted++) {
    const which = {
      returnPath: (wanted & 1) > 0,
      envelopeTo: (wanted & 2) > 0,
      deliveryDate: (wanted & 4) > 0,
    };
    test(`what the writer writes: ${JSON.stringify(which)}`, () => {
      const many = Array.from({ length: 1000 }, (_none, at) => `user${at}@example.com`);
      for (const sender of [null, mailbox("alice@example.org")]) {
        for (const addresses of [["bob@example.com"], many, ["jürgen@example.com"]]) {
          const recipients = addresses.map((address) => recipient(address));
          const written = deliveryHeaders(which, sender, recipients, NOW);
          const { length, envelopeTo, deliveryDate } = read(written + MESSAGE);
          assert.equal(length, Buffer.byteLength(written));
          assert.equal(envelopeTo, which.envelopeTo ? addresses.join(", ") : "");
          assert.equal(deliveryDate, which.deliveryDate ? NOW : undefined);
        }
      }
    });
  }

  test("each is taken once, in order, and only if it is whole", () => {
    const none = { length: 0, envelopeTo: "", deliveryDate: undefined };
    assert.deepEqual(read(MESSAGE), none);
    assert.equal(read(STRANGERS + MESSAGE).length, STRANGERS.length);
    assert.equal(read(STRANGERS + STRANGERS + MESSAGE).length, STRANGERS.length);
    assert.deepEqual(read("Return-Path: <a@example.com>\n\n"), none);
    assert.deepEqual(read("return-path: <a@example.com>\n\n"), none);
    assert.deepEqual(read("Delivery-date: yesterday\n\n"), none);
    assert.deepEqual(read("Return-path: <a@example.com>"), none);
    const [path = "", envelope = "", date = ""] = STRANGERS.split(/(?<=\n)/);
    assert.equal(read(date + envelope + path).length, date.length);
    assert.equal(read(envelope + path + date).length, envelope.length);
    assert.equal(read(`${path} folded\n${envelope}`).length, path.length);
  });
});
