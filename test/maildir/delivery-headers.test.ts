import assert from "node:assert/strict";
import { after, test } from "node:test";
import { deliveryHeaders } from "../../src/maildir/delivery-headers.ts";
import { mailbox, recipient } from "../support/build.ts";

const zone = process.env["TZ"];
after(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const ALL = { returnPath: true, envelopeTo: true, deliveryDate: true };
const NEW_YEAR = Date.UTC(2026, 0, 1);

test("the headers stand in Exim's order", () => {
  process.env["TZ"] = "UTC";
  const to = [recipient("bob@example.com"), recipient("Carol@Example.com")];
  assert.equal(
    deliveryHeaders(ALL, mailbox("alice@example.org"), to, NEW_YEAR),
    "Return-path: <alice@example.org>\n" +
      "Envelope-to: bob@example.com, Carol@Example.com\n" +
      "Delivery-date: Thu, 01 Jan 2026 00:00:00 +0000\n",
  );
});

test("only those that are wanted are written", () => {
  const none = { returnPath: false, envelopeTo: false, deliveryDate: false };
  const to = [recipient("bob@example.com")];
  assert.equal(deliveryHeaders(none, null, to, NEW_YEAR), "");
  assert.equal(
    deliveryHeaders({ ...none, returnPath: true }, null, to, NEW_YEAR),
    "Return-path: <>\n",
  );
});

test("Envelope-to shows the original addresses, each once; case counts on the left only", () => {
  const wanted = { returnPath: false, envelopeTo: true, deliveryDate: false };
  const to = [
    recipient("bob@example.com", { id: "1", original: mailbox("sales@example.com") }),
    recipient("eve@example.com", { id: "2", original: mailbox("sales@EXAMPLE.com") }),
    recipient("bob@example.com", { id: "3", original: mailbox("Sales@example.com") }),
  ];
  assert.equal(
    deliveryHeaders(wanted, null, to, NEW_YEAR),
    "Envelope-to: sales@example.com, Sales@example.com\n",
  );
});

test("a thousand recipients are folded, and no line is too long", () => {
  const wanted = { returnPath: false, envelopeTo: true, deliveryDate: false };
  const to = Array.from({ length: 1000 }, (_, number) => recipient(`user${number}@example.com`));
  const written = deliveryHeaders(wanted, null, to, NEW_YEAR);
  for (const line of written.split("\n")) assert.ok(line.length <= 998);
  assert.equal(
    written.replaceAll("\n ", " "),
    `Envelope-to: ${to.map(({ mailbox: { address } }) => address).join(", ")}\n`,
  );
});

test("no address can bring a header of its own", () => {
  const evil = mailbox("x\r\nBcc: eve@example.net\n\n@example.com");
  const written = deliveryHeaders(ALL, evil, [recipient(evil.address)], NEW_YEAR);
  assert.equal(written.split("\n").length, 4);
});
