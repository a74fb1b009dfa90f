import assert from "node:assert/strict";
import { test } from "node:test";
import { accept } from "../../routers/accept.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { readOptions } from "../conformance/driver.ts";
import { fakeServices } from "../support/services.ts";

testRouter(accept, { table: { transport: "gmail" } });

test("accept gives every address to its transport, without hosts", async () => {
  const router = accept.create(readOptions(accept, { transport: "gmail" }), fakeServices());
  const decision = await router.route(subject("bob@example.com"), context());
  assert.deepEqual(decision, { kind: "accept", transport: "gmail" });
});

test("accept is not unseen by itself", () => {
  assert.equal(accept.defaults?.unseen, undefined);
});
