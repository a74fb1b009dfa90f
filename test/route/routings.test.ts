// Which of what RCPT was told an attempt may use, as a table.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Host } from "../../src/mail/host.ts";
import { status } from "../../src/mail/status.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import { Routings } from "../../src/route/routings.ts";
import { manualClock } from "../support/clock.ts";
import { given as defined } from "../../src/base/given.ts";
import { mailbox, routedDelivery } from "../support/build.ts";

const MINUTE = 60_000;
const route: Route = () => Promise.reject(new Error("nobody is asked"));
const another: Route = () => Promise.reject(new Error("nobody is asked"));
const SLOW = status(451, "4.3", "no answer");

function routing(address: string, hosts?: readonly Host[], given: Partial<Routing> = {}): Routing {
  const delivery = routedDelivery(address, { router: "world", ...defined({ hosts }) });
  return { deliveries: [delivery], troubles: [], discarded: [], ...given };
}

const plain = routing("bob@example.com");
const copyTrouble = {
  kind: "deferred",
  mailbox: mailbox("bob@example.com"),
  router: "store",
  unseen: true,
  status: SLOW,
} as const;
const dropped = { mailbox: mailbox("bob@example.com"), router: "drop", why: "as it wants" };

interface Attempt {
  readonly by?: Route;
  readonly relayed?: boolean;
  readonly after?: number;
  readonly position?: number;
  readonly hasRoom?: boolean;
}

describe("what RCPT was told", () => {
  const cases: readonly (readonly [string, Routing, Attempt, boolean])[] = [
    ["is what an attempt of the same chain goes by", plain, {}, true],
    ["discards too", routing("a@example.com", [], { discarded: [dropped] }), {}, true],
    [
      "is asked for again with trouble, a copy's too",
      { ...plain, troubles: [copyTrouble] },
      {},
      false,
    ],
    ["is asked for again by another configuration", plain, { by: another }, false],
    [
      "is asked for again of mail that was to be relayed, and is not",
      plain,
      { relayed: false },
      false,
    ],
    ["is good for five minutes", plain, { after: 5 * MINUTE }, true],
    ["and no longer", plain, { after: 5 * MINUTE + 1 }, false],
    ["is asked for again of another recipient", plain, { position: 8 }, false],
    ["is not kept without room", plain, { hasRoom: false }, false],
  ];
  for (const [what, said, given, isUsed] of cases) {
    test(what, () => {
      const { by = route, relayed = true, after = 0, position = 7, hasRoom = true } = given;
      const clock = manualClock();
      const routings = new Routings(route, clock);
      routings.keep(7, { routing: said, relayed: true }, () => hasRoom);
      clock.advance(after);
      assert.deepEqual(routings.of(position, by, relayed), isUsed ? said : undefined);
    });
  }

  test("is whole only with every recipient", () => {
    const routings = new Routings(route, manualClock());
    for (const position of [0, 2]) {
      routings.keep(position, { routing: plain, relayed: true }, () => true);
    }
    assert.equal(routings.all(3), undefined);
    assert.equal(routings.all(1)?.length, 1);
  });

  test("takes room by deliveries, hosts and addresses", () => {
    const asked: number[] = [];
    const keep = (said: Routing) =>
      new Routings(route, manualClock()).keep(0, { routing: said, relayed: true }, (octets) => {
        asked.push(octets);
        return true;
      });
    keep(plain);
    keep(routing("bob@example.com", [{ name: "mx.test" }]));
    keep(routing("bob@example.com", [{ name: "mx.test", addresses: ["192.0.2.1", "192.0.2.2"] }]));
    const [bare = 0, host = 0, addresses = 0] = asked;
    assert.ok(bare > 0 && host > bare && addresses > host, asked.join(" "));
  });
});

/** The addresses of the one host of a domain, in the order in which RCPT was asked. */
function addressesOf(...all: readonly (readonly string[])[]) {
  const routings = new Routings(route, manualClock());
  for (const [position, addresses] of all.entries()) {
    const said = routing("a@example.net", [{ name: "x.test", addresses }]);
    routings.keep(position, { routing: said, relayed: true }, () => true);
  }
  return routings.all(all.length)?.map(({ deliveries }) => deliveries[0]?.hosts?.[0]?.addresses);
}

/** Where each of them goes, in the order in which RCPT was asked. */
function hostsOf(...all: readonly (readonly [string, readonly Host[]])[]) {
  const routings = new Routings(route, manualClock());
  for (const [position, [address, hosts]] of all.entries())
    routings.keep(position, { routing: routing(address, hosts), relayed: true }, () => true);
  return routings
    .all(all.length)
    ?.map(({ deliveries }) => deliveries[0]?.hosts?.map(({ name }) => name).join(" "));
}

describe("recipients of one domain", () => {
  const [x, y, z] = [{ name: "x.test" }, { name: "y.test" }, { name: "z.test" }];
  test("go to the same hosts in the same order, in whatever order DNS gives them", () => {
    const hosts = hostsOf(["a@example.net", [x, y]], ["b@example.net", [y, x]]);
    assert.deepEqual(hosts, ["x.test y.test", "x.test y.test"]);
  });

  test("go to others when DNS says so", () => {
    for (const other of [
      [x, z],
      [x],
      [{ ...x, port: 26 }, y],
      [{ ...x, secure: true as const }, y],
    ]) {
      const hosts = hostsOf(["a@example.net", [x, y]], ["b@example.net", other]);
      assert.equal(hosts?.[1], other.map(({ name }) => name).join(" "));
    }
  });

  test("go to the addresses that DNS gives now, if they are others", () => {
    const [one, two, three] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    assert.deepEqual(addressesOf([one, two], [two, one], [three], [one]), [
      [one, two],
      [one, two],
      [three],
      [one],
    ]);
  });

  test("keep the order that another domain has not", () => {
    const hosts = hostsOf(["a@example.net", [x, y]], ["b@example.org", [y, x]]);
    assert.deepEqual(hosts, ["x.test y.test", "y.test x.test"]);
  });
});
