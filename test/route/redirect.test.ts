import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Decision } from "../../src/contract/contract.ts";
import { type ChainRouter } from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import {
  type Answer,
  GONE,
  UNKNOWN,
  accept,
  decline,
  deliveriesOf,
  list,
  preconditionsWith,
  redirect,
  routed,
  router,
  troublesOf,
} from "./chain.ts";

const copying = (answer: Answer, given: Partial<ChainRouter> = {}) =>
  router("copy", answer, { unseen: true, ...given });
const main = router("main", accept("smtp"));

describe("unseen", () => {
  test("accept: a copy, and the address goes on", async () => {
    assert.deepEqual(deliveriesOf(await routed([copying(accept("file")), main])), [
      "copy:file:alice@example.com:copy",
      "main:smtp:alice@example.com",
    ]);
  });

  test("with nothing behind it leaves the address unrouteable", async () => {
    const routing = await routed([copying(accept("file"))]);
    assert.deepEqual(deliveriesOf(routing), ["copy:file:alice@example.com:copy"]);
    assert.deepEqual(troublesOf(routing), ["failed::alice@example.com:5.1.1"]);
  });

  test("overrides more = false", async () => {
    const routing = await routed([copying(decline, { more: false }), main]);
    assert.deepEqual(deliveriesOf(routing), ["main:smtp:alice@example.com"]);
    assert.deepEqual(troublesOf(routing), []);
  });

  test("fail and discard touch only the copy", async () => {
    for (const answer of [
      { kind: "fail", status: GONE },
      { kind: "discard", why: "no copy" },
    ] satisfies Decision[]) {
      const routing = await routed([copying(answer), main]);
      assert.deepEqual(deliveriesOf(routing), ["main:smtp:alice@example.com"]);
      assert.deepEqual([...routing.troubles, ...routing.discarded], []);
    }
  });

  test("defer, an unreadable list and a throw defer the copy, and the address goes on", async () => {
    const troubled = [
      copying({ kind: "defer", status: status(451, "3.0", "later") }),
      copying(accept("file"), { preconditions: preconditionsWith({ localParts: list(UNKNOWN) }) }),
      copying(() => {
        throw new Error("boom");
      }),
    ];
    for (const copy of troubled) {
      const routing = await routed([copy, main]);
      assert.deepEqual(deliveriesOf(routing), ["main:smtp:alice@example.com"]);
      assert.deepEqual(troublesOf(routing), ["deferred:copy:alice@example.com:4.3.0:copy"]);
    }
  });

  test("redirect: what a copy is redirected to is a copy, its troubles included", async () => {
    const chain = [
      copying(({ mailbox: { domain } }) =>
        domain === "example.com" ? redirect("keep@example.org", "lost@nowhere.test") : decline,
      ),
      router("world", ({ mailbox: { domain } }) =>
        domain === "nowhere.test" ? { kind: "fail", status: GONE } : accept("smtp"),
      ),
    ];
    const routing = await routed(chain);
    assert.deepEqual(deliveriesOf(routing), [
      "world:smtp:alice@example.com",
      "world:smtp:keep@example.org:copy",
    ]);
    assert.deepEqual(troublesOf(routing), ["failed:world:lost@nowhere.test:5.1.6:copy"]);
  });
});

const aliases = (table: Readonly<Record<string, readonly string[]>>) =>
  router("aliases", ({ mailbox: { address } }) => {
    const to = table[address.toLowerCase()];
    return to === undefined ? decline : redirect(...to);
  });
const smtp = router("smtp", accept("smtp"));

describe("redirect", () => {
  test("each child goes through the chain from its start, and remembers its origin", async () => {
    const chain = [
      aliases({
        "all@example.com": ["a@example.com", "b@example.com"],
        "a@example.com": ["c@example.com"],
      }),
      smtp,
    ];
    const routing = await routed(chain, "all@example.com");
    assert.deepEqual(deliveriesOf(routing), ["smtp:smtp:b@example.com", "smtp:smtp:c@example.com"]);
    for (const { original } of routing.deliveries) {
      assert.equal(original.address, "all@example.com");
    }
  });

  test("an address may stand in its own alias: the router is not asked again", async () => {
    const chain = [aliases({ "bob@example.com": ["Bob@example.com", "keep@example.com"] }), smtp];
    assert.deepEqual(deliveriesOf(await routed(chain, "bob@example.com")), [
      "smtp:smtp:Bob@example.com",
      "smtp:smtp:keep@example.com",
    ]);
  });

  test("two aliases that point at each other end", async () => {
    const chain = [
      aliases({ "a@example.com": ["b@example.com"], "b@example.com": ["a@example.com"] }),
      smtp,
    ];
    assert.deepEqual(deliveriesOf(await routed(chain, "a@example.com")), [
      "smtp:smtp:a@example.com",
    ]);
  });

  test("an address that grows without end is deferred, and its neighbours are routed", async () => {
    const growing = router("growing", ({ mailbox: { localPart } }) =>
      localPart.startsWith("a")
        ? redirect(`a${localPart}@example.com`, "end@example.com")
        : decline,
    );
    const routing = await routed([growing, smtp], "a@example.com");
    assert.deepEqual(deliveriesOf(routing), ["smtp:smtp:end@example.com"]);
    assert.deepEqual(
      routing.troubles.map(({ kind, status: { enhanced } }) => `${kind} ${enhanced}`),
      ["deferred 4.4.6"],
    );
  });

  test("an address that doubles without end is bounded", async () => {
    let asked = 0;
    const doubling = router("doubling", ({ mailbox: { localPart } }) => {
      asked++;
      return redirect(`${localPart}0@example.com`, `${localPart}1@example.com`);
    });
    const routing = await routed([doubling], "x@example.com");
    assert.equal(asked, 1000);
    assert.deepEqual(
      routing.troubles.map(({ kind }) => kind),
      ["deferred"],
    );
  });
});
