import assert from "node:assert/strict";
import { test } from "node:test";
import { Expansion, RecipientBudget } from "../../src/receive/expansion.ts";
import { type ChainRouter, createRoute, type Routing } from "../../src/route/route.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";

/** "a-b" is an alias for a and b; everybody else is delivered to. */
const chain: readonly ChainRouter[] = [
  {
    name: "all",
    unseen: false,
    more: true,
    preconditions: [],
    router: {
      route({ mailbox: { localPart } }) {
        const names = localPart.split("-");
        if (names.length === 1) return { kind: "accept", transport: "smtp" };
        return { kind: "redirect", to: names.map((name) => mailbox(`${name}@example.com`)) };
      },
    },
  },
];

function routed(expansion: Expansion, name: string): Promise<Routing> {
  return createRoute(chain, recordingLog())(mailbox(`${name}@example.com`), {
    sender: null,
    client: { address: "192.0.2.1", helo: "client.test" },
    verify: true,
    steps: expansion.stepsFor(false),
  });
}

const request = { mailbox: mailbox("x@example.com") };

test("what the chain said is kept for recipients that are taken, and not for those that are not", async () => {
  const expansion = new Expansion(3, new RecipientBudget());
  assert.equal(expansion.add(request, await routed(expansion, "a-b")), undefined);
  assert.equal(expansion.stepsFor(false).size, 2);
  const refused = expansion.add(request, await routed(expansion, "c-d-e-f"));
  assert.equal(refused?.enhanced, "4.5.3");
  assert.equal(expansion.stepsFor(false).size, 0);
  await routed(expansion, "g-h");
  expansion.refused();
  assert.equal(expansion.stepsFor(false).size, 0);
  assert.equal(expansion.add(request, await routed(expansion, "b-c")), undefined);
});
