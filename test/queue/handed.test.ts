// A message that comes from its reception, with what RCPT was told of its recipients.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Route, Routing } from "../../src/route/route.ts";
import { Routings } from "../../src/route/routings.ts";
import { routingsOf } from "../support/routings.ts";
import { delivery, DONE, message, quiet, recipient, runner } from "./runner.ts";

const TO = ["a@example.com", "b@example.com"];
const routed = (address: string, ...copies: readonly string[]): Routing => ({
  deliveries: [...copies.map((copy) => delivery(copy, "file")), delivery(address, "smtp")],
  troubles: [],
  discarded: [],
});

const theFormer: Route = () => Promise.reject(new Error("the former one"));

/** An attempt of mail to both, and whom the chain was asked about in it. */
async function attempted(
  said: readonly Routing[],
  { relayed = true, former }: { relayed?: boolean; former?: Route } = {},
) {
  const asked: string[] = [];
  const route: Route = (to) => {
    asked.push(to.address);
    return Promise.resolve(routed(to.address));
  };
  const recipients = TO.map((address, position) => recipient(position, address));
  const active = message("a", { state: "active", recipients });
  const { envelope } = active;
  const one = { ...active, envelope: { ...envelope, relayed: true } };
  const { queue, batches, clock, spool } = runner([one], () => DONE, undefined, undefined, {
    route,
  });
  queue.attempt(one, { routings: routingsOf(said, clock, former ?? route, relayed) });
  await quiet();
  assert.equal(spool.held.size, 0);
  return { asked, batches };
}

test("is delivered by that, and the chain is not asked", async () => {
  const said = [routed("a@example.com", "a@example.com"), routed("elsewhere@example.org")];
  assert.deepEqual(await attempted(said), {
    asked: [],
    batches: ["copy a@example.com", "a@example.com elsewhere@example.org"],
  });
});

test("has the chain asked about those of whom nothing is known", async () => {
  assert.deepEqual(await attempted([routed("a@example.com")]), {
    asked: ["b@example.com"],
    batches: ["a@example.com b@example.com"],
  });
});

test("has it asked about all when the configuration is another by now", async () => {
  const said = TO.map((address) => routed(address));
  assert.deepEqual((await attempted(said, { former: theFormer })).asked, TO);
});

test("has it asked about all when it is not the mail that RCPT took it for", async () => {
  const said = TO.map((address) => routed(address));
  assert.deepEqual((await attempted(said, { relayed: false })).asked, TO);
});

test("waits for none whose domain has to be asked about, and is slow", async () => {
  for (const known of [0, 1]) {
    const silent = Promise.withResolvers<Routing>();
    const recipients = TO.map((address, position) => recipient(position, address));
    const one = message("a", { state: "active", recipients });
    const route: Route = () => silent.promise;
    const { queue, batches, clock } = runner([one], () => DONE, undefined, undefined, { route });
    const routings = new Routings(route, clock);
    const said = { routing: routed(TO[known] ?? ""), relayed: false };
    routings.keep(known, said, () => true);
    queue.attempt(one, { routings });
    await quiet();
    clock.advance(100);
    await quiet();
    assert.deepEqual(batches, [TO[known]]);
    silent.resolve(routed(TO[1 - known] ?? ""));
    await quiet();
    assert.deepEqual(batches, [TO[known], TO[1 - known]]);
  }
});
