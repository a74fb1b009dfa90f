import assert from "node:assert/strict";
import { test } from "node:test";
import { senderMatch } from "../../routers/sender-match.ts";
import { readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { mailbox } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";

testRouter(senderMatch, { table: { transport: "sent" } });

const create = () =>
  senderMatch.create(readOptions(senderMatch, { transport: "sent" }), fakeServices());

test("sender-match takes what its preconditions let through", async () => {
  const from = context({ sender: mailbox("bob@example.com") });
  assert.deepEqual(await create().route(subject("zoe@example.net"), from), {
    kind: "accept",
    transport: "sent",
  });
});

test("sender-match never takes mail of the null sender", async () => {
  const decision = await create().route(subject("zoe@example.net"), context({ sender: null }));
  assert.equal(decision.kind, "decline");
});

test("sender-match cannot be used without both tests of the sender", () => {
  assert.deepEqual(senderMatch.requires, ["sender_domains", "sender_local_parts"]);
});

test("sender-match makes copies of relayed mail that is not restored, unless somebody says otherwise", () => {
  assert.deepEqual(senderMatch.defaults, { unseen: true, relayed: true, restored: false });
});
