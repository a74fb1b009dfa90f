import assert from "node:assert/strict";
import { test } from "node:test";
import { unseenCopy } from "../../routers/unseen-copy.ts";
import { readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { fakeServices } from "../support/services.ts";

testRouter(unseenCopy, { table: { transport: "copies" } });

test("unseen-copy accepts every address, and the chain goes on behind it", async () => {
  const router = unseenCopy.create(
    readOptions(unseenCopy, { transport: "copies" }),
    fakeServices(),
  );
  assert.deepEqual(await router.route(subject("bob@example.com"), context()), {
    kind: "accept",
    transport: "copies",
  });
  assert.deepEqual(unseenCopy.defaults, { unseen: true, restored: false });
});
