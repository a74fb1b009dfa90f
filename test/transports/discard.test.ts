import assert from "node:assert/strict";
import { test } from "node:test";
import { discard } from "../../transports/discard.ts";
import { testTransport } from "../conformance/transport.ts";
import { batch, recipient } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";

testTransport(discard, { setup: () => ({ table: {} }), readsBody: false, obeysSignal: false });

test("discard says of every recipient that it is delivered", async () => {
  const transport = discard.create(discard.options.read({}, "", []), fakeServices());
  const two = [recipient("bob@example.com"), recipient("carol@example.com")];
  const outcomes = await transport.deliver(batch(two), new AbortController().signal);
  assert.deepEqual(
    [...outcomes.values()].map(({ kind }) => kind),
    ["delivered", "delivered"],
  );
});
