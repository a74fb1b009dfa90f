// The suite that every router driver passes, ours and a third party's: `testRouter(driver, { table })`.
// It asks nothing about what a driver is for, only that it keeps the contract of routers/README.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  Decision,
  RouteContext,
  RouterDriver,
  RouteSubject,
  Services,
} from "../../src/contract/contract.ts";
import { mailbox } from "../support/build.ts";
import { fakeServices, resolverAnswering } from "../support/services.ts";
import { deepFreeze, type OptionTable, readOptions, testOptions } from "./driver.ts";

export interface RouterCase {
  /** Options as in routers.toml, without the generic ones. */
  readonly table: OptionTable;
  /** Parts of the services that the driver needs to answer at all. */
  readonly services?: Partial<Services>;
}

/** Local parts and domains that a peer may send or a list may hold. */
const HOSTILE = [
  "bob@example.com",
  "Bob.Smith+lists@EXAMPLE.com",
  "../../etc/passwd@example.com",
  "..@example.com",
  "a/b@example.com",
  "nul\0byte@example.com",
  "crlf\r\nRCPT TO:<x@y>@example.com",
  ":fail: no@example.com",
  "|/bin/sh@example.com",
  "__proto__@example.com",
  "constructor@__proto__",
  "+@example.com",
  "+x@example.com",
  "#@example.com",
  "a:b@example.com",
  "two words@example.com",
  "jos\u00e9\u202e@xn--caf-dma.example",
  `${"x".repeat(2000)}@${"y".repeat(250)}.example`,
  "@example.com",
  "postmaster@",
  "bob@[192.0.2.1]",
  "bob@no-such-host.invalid",
];

export function subject(address: string, original: string = address): RouteSubject {
  return { mailbox: mailbox(address), original: mailbox(original) };
}

export function context(given: Partial<RouteContext> = {}): RouteContext {
  return {
    sender: mailbox("alice@example.org"),
    client: { address: "192.0.2.1", helo: "client.example.org" },
    account: {},
    verify: false,
    ...given,
  };
}

/** Fails when a decision is not one of the words of the contract, said in full. */
export function assertDecision(decision: Decision): void {
  switch (decision.kind) {
    case "accept":
      assert.ok(decision.transport !== "", "accept names a transport");
      assert.notEqual(decision.hosts?.length, 0, "a list of hosts has at least one");
      break;
    case "redirect":
      assert.ok(decision.to.length > 0, "redirect names an address");
      break;
    case "discard":
      assert.ok(decision.why !== "", "discard says why");
      break;
    case "fail":
      assert.equal(Math.trunc(decision.status.code / 100), 5);
      assert.match(decision.status.enhanced, /^5\.\d{1,3}\.\d{1,3}$/);
      break;
    case "defer":
      assert.equal(Math.trunc(decision.status.code / 100), 4);
      assert.match(decision.status.enhanced, /^4\.\d{1,3}\.\d{1,3}$/);
      break;
    case "decline":
    case "pass":
      break;
    default:
      assert.fail(`no such decision: ${JSON.stringify(decision)}`);
  }
}

export function testRouter<O>(driver: RouterDriver<O>, example: RouterCase): void {
  const create = (given: Partial<Services> = {}) =>
    driver.create(
      readOptions(driver, example.table),
      fakeServices({ ...example.services, ...given }),
    );

  describe(`router ${driver.name}, conformance`, () => {
    testOptions(driver, () => example.table);

    for (const sender of [mailbox("alice@example.org"), null]) {
      test(`answers every address with a decision, from ${sender?.address ?? "<>"}`, async () => {
        const router = create();
        for (const address of HOSTILE) {
          const asked = deepFreeze(subject(address));
          assertDecision(await router.route(asked, deepFreeze(context({ sender }))));
        }
      });
    }

    test("decides at RCPT as it does in earnest", async () => {
      const router = create();
      for (const address of HOSTILE) {
        const verified = await router.route(subject(address), context({ verify: true }));
        const routed = await router.route(subject(address), context({ verify: false }));
        assert.equal(verified.kind, routed.kind, address);
      }
    });

    test("never fails or declines because the DNS does not answer", async () => {
      const silent = resolverAnswering({ kind: "temporary", error: "timeout" });
      const sure = await create().route(subject("bob@example.com"), context());
      const unsure = await create({ resolver: silent }).route(
        subject("bob@example.com"),
        context(),
      );
      assertDecision(unsure);
      if (unsure.kind === "fail" || unsure.kind === "decline") {
        assert.deepEqual(unsure, sure, "only a decision that needs no DNS may be final without it");
      }
    });

    test("two routers of one driver share nothing", async () => {
      const first = create();
      const before = await first.route(subject("bob@example.com"), context());
      await create().route(subject("carol@example.com"), context());
      assert.deepEqual(await first.route(subject("bob@example.com"), context()), before);
    });
  });
}
