// What the doctor reads in the history of a relay that has worked: the last mail in and out, and Google's replies.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type AnsweringServer, answeringServer } from "../../support/answering.ts";
import type { Short } from "./world.ts";
import { World } from "./world.ts";

const WHITELIST = "421 4.7.0 IP not in whitelist for RCPT domain, closing connection.";
const UNAUTHENTICATED =
  "550 5.7.26 This mail has been blocked because the sender is unauthenticated.";

/** Sends one message in and one out, and stops the relay when each has had an attempt. */
async function exchanged(google: AnsweringServer, edit = (config: string) => config) {
  const world = await World.open((config) =>
    edit(
      config.replace(
        /aspmx\.l\.google\.com:\d+"\]\ntls = "required"/,
        `aspmx.l.google.com:${google.port}"]`,
      ),
    ),
  );
  for (const [from, to] of [
    ["carol@example.org", "alice@example.com"],
    ["alice@example.com", "carol@example.org"],
  ] as const) {
    using client = await world.relay.connect();
    await client.ask("EHLO client.example.org");
    await client.ask(`MAIL FROM:<${from}>`);
    assert.match(await client.ask(`RCPT TO:<${to}>`), /^250/);
    await client.ask("DATA");
    await client.ask(`From: ${from}\r\nSubject: x\r\n\r\nx\r\n.`);
    await client.ask("QUIT");
  }
  return world;
}

const short = (findings: readonly { check: string; result: string; found: string }[]): Short[] =>
  findings.map(({ check, result, found }) => [check, result, found]);

suite("the history of a relay", () => {
  test("shows the last mail in and out", async () => {
    await using google = await answeringServer();
    await using world = await exchanged(google);
    await world.relay.happened("message.completed", 2);
    await world.relay.stop();
    const found = short(await world.examine(["flow", "google"]));
    assert.deepEqual(
      found.map(([check, result, text]) => [check, result, text.replace(/\d+s ago/, "0s ago")]),
      [
        ["flow", "ok", "last message in: 0s ago; the history is too short to say what is usual"],
        ["flow", "ok", "last message out: 0s ago; the history is too short to say what is usual"],
        ["google", "ok", "no reply of Google in the last day calls for a change"],
      ],
    );
  });

  test("shows that Google puts mail off, while it waits", async () => {
    await using google = await answeringServer(() => WHITELIST);
    await using world = await exchanged(google);
    await world.relay.happened("delivery.deferred", 1);
    await world.relay.stop();
    const [[check, result, text] = []] = short(await world.examine(["google"]));
    assert.deepEqual([check, result], ["google", "fail"]);
    assert.match(
      text ?? "",
      /not listed: 1 message waiting, last \d+s ago; aspmx\.l\.google\.com said "421 4\.7\.0 IP/,
    );
  });

  for (const cutThrough of [false, true]) {
    test(`shows that Google refuses mail${cutThrough ? ", with cut-through" : ""}`, async () => {
      await using google = await answeringServer(undefined, undefined, () => UNAUTHENTICATED);
      await using world = await exchanged(google, (config) =>
        cutThrough
          ? config.replace('name = "gmail_remote"\n', 'name = "gmail_remote"\ncutthrough = true\n')
          : config,
      );
      await world.relay.happened("delivery.failed", 1);
      await world.relay.stop();
      const [[check, result, text] = []] = short(await world.examine(["google"]));
      assert.deepEqual([check, result], ["google", "fail"]);
      assert.match(text ?? "", /as unauthenticated: 1 message refused, last \d+s ago/);
    });
  }
});
