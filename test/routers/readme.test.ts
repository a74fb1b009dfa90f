import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { compilerErrors, exampleDirectory, exampleRouter } from "../support/readme-driver.ts";
import { fakeServices } from "../support/services.ts";

const directory = exampleDirectory("routers/README.md", "closed.ts");
const closed = await exampleRouter(directory, "closed.ts");

testRouter(closed, { table: { message: "closed" } });

test("the example of routers/README.md satisfies the compiler", () => {
  assert.equal(compilerErrors(directory, "closed.ts"), "");
});

test("the example of routers/README.md does what the page says", async () => {
  const router = closed.create(readOptions(closed, { message: "gone" }), fakeServices());
  const decision = await router.route(subject("bob@old.example.com"), context());
  assert.deepEqual(decision, {
    kind: "fail",
    status: { code: 550, enhanced: "5.1.2", text: "gone" },
  });
});
