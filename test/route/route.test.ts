import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Decision } from "../../src/contract/contract.ts";
import type { Match } from "../../src/lists/lists.ts";
import {
  type ChainRouter,
  createRoute,
  preconditionsOf,
  type RouteRequest,
  type TraceStep,
} from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import {
  GONE,
  UNKNOWN,
  accept,
  decline,
  deliveriesOf,
  list,
  preconditionsWith,
  redirect,
  request,
  routed,
  router,
  troublesOf,
} from "./chain.ts";

const LATER = status(451, "4.3", "later");

const IN: Match = { kind: "in", key: "key", why: "listed" };

const OUT: Match = { kind: "out", why: "not listed" };

describe("relayed", () => {
  const own = router("own", accept("sent"), { relayed: true });
  const others = router("others", accept("inbox"), { relayed: false });
  const any = router("any", accept("any"));

  test("is a precondition: what came by a relay rule and what did not go different ways", async () => {
    const chain = [own, others, any];
    const asked = (given: Partial<RouteRequest>) =>
      routed(chain, undefined, { ...request, ...given }).then(deliveriesOf);
    assert.deepEqual(await asked({ relayed: true }), ["own:sent:alice@example.com"]);
    assert.deepEqual(await asked({ relayed: false }), ["others:inbox:alice@example.com"]);
    assert.deepEqual(await asked({}), ["others:inbox:alice@example.com"], "nobody knows");
    assert.deepEqual(
      deliveriesOf(await routed([own, any], undefined, { ...request, relayed: false })),
      ["any:any:alice@example.com"],
    );
  });

  test("is not met, whatever a list says or cannot say", async () => {
    const preconditions = preconditionsOf({
      domains: undefined,
      localParts: undefined,
      senderDomains: list(IN),
      senderLocalParts: list(UNKNOWN),
    });
    const chain = [router("own", accept("sent"), { relayed: true, preconditions }), any];
    const found = await routed(chain, undefined, { ...request, relayed: false });
    assert.deepEqual(deliveriesOf(found), ["any:any:alice@example.com"]);
    assert.deepEqual(troublesOf(found), []);
    const waiting = await routed(chain, undefined, { ...request, relayed: true });
    assert.deepEqual(troublesOf(waiting), ["deferred:own:alice@example.com:4.3.0"]);
  });

  test("stands in the trace, with its reason", async () => {
    const trace: TraceStep[] = [];
    const relayedWhy = "192.0.2.1 is in the hosts of no relay rule";
    await routed([own, any], undefined, { ...request, relayed: false, relayedWhy, trace });
    assert.equal(trace[0]?.result, "skipped");
    assert.equal(trace[0].why, "relayed = true: 192.0.2.1 is in the hosts of no relay rule");
  });
});

describe("restored", () => {
  const copies = router("copies", accept("inbox"), { restored: false });
  const back = router("back", accept("google"), { restored: true });
  const any = router("any", accept("any"));
  const asked = (given: Partial<RouteRequest>) =>
    routed([copies, back, any], undefined, { ...request, ...given }).then(deliveriesOf);

  test("is a precondition: mail from the archive is not copied again", async () => {
    assert.deepEqual(await asked({ restored: true }), ["back:google:alice@example.com"]);
    assert.deepEqual(await asked({ restored: false }), ["copies:inbox:alice@example.com"]);
    assert.deepEqual(await asked({}), ["copies:inbox:alice@example.com"]);
  });

  test("is not met, whatever a list says or cannot say", async () => {
    const preconditions = preconditionsOf({
      domains: list(UNKNOWN),
      localParts: undefined,
      senderDomains: undefined,
      senderLocalParts: undefined,
    });
    const chain = [router("copies", accept("inbox"), { restored: false, preconditions }), any];
    const found = await routed(chain, undefined, { ...request, restored: true });
    assert.deepEqual(deliveriesOf(found), ["any:any:alice@example.com"]);
    assert.deepEqual(troublesOf(found), []);
  });

  test("stands in the trace only where it decides", async () => {
    const trace: TraceStep[] = [];
    await routed([copies], undefined, { ...request, restored: true, trace });
    assert.equal(trace[0]?.why, "restored = false: it comes back from the archive");
    trace.length = 0;
    await routed([copies], undefined, { ...request, trace });
    assert.doesNotMatch(trace[0]?.why ?? "", /restored/);
  });
});

describe("the chain", () => {
  test("asks the routers in order and stops at the first that accepts", async () => {
    const chain = [router("a", decline), router("b", accept("smtp")), router("c", accept("other"))];
    assert.deepEqual(deliveriesOf(await routed(chain)), ["b:smtp:alice@example.com"]);
  });

  test("ends in 550 5.1.1, never in silence", async () => {
    assert.deepEqual(troublesOf(await routed([])), ["failed::alice@example.com:5.1.1"]);
    const chain = [router("a", decline), router("b", { kind: "pass" })];
    assert.deepEqual(troublesOf(await routed(chain)), ["failed::alice@example.com:5.1.1"]);
  });

  test("while one that declined is not sure, nothing fails and nothing is discarded", async () => {
    const unsure: Decision = { kind: "decline", otherwise: LATER };
    const a = "alice@example.com";
    const cases: readonly (readonly [ChainRouter[], readonly string[], readonly string[]])[] = [
      [[router("a", unsure)], [`deferred::${a}:4.4.3`], []],
      [[router("a", unsure, { more: false })], [`deferred:a:${a}:4.4.3`], []],
      [
        [router("a", unsure), router("b", { kind: "fail", status: GONE })],
        [`deferred:b:${a}:4.4.3`],
        [],
      ],
      [
        [router("a", unsure), router("b", { kind: "discard", why: "a hole" })],
        [`deferred:b:${a}:4.4.3`],
        [],
      ],
      [[router("a", unsure), router("b", accept("smtp"))], [], [`b:smtp:${a}`]],
      [
        [router("a", unsure, { unseen: true }), router("b", accept("smtp"))],
        [`deferred:a:${a}:4.4.3:copy`],
        [`b:smtp:${a}`],
      ],
      [
        [router("a", { kind: "decline", otherwise: GONE }), router("b", accept("smtp"))],
        [`deferred:a:${a}:4.3.0`],
        [],
      ],
    ];
    for (const [chain, troubles, deliveries] of cases) {
      const routing = await routed(chain);
      assert.deepEqual([troublesOf(routing), deliveriesOf(routing)], [troubles, deliveries]);
      assert.deepEqual(routing.discarded, []);
    }
  });

  test("with more = false ends at a decline, and not at a pass", async () => {
    const last = router("last", accept("smtp"));
    const declining = await routed([router("a", decline, { more: false }), last]);
    assert.deepEqual(troublesOf(declining), ["failed:a:alice@example.com:5.1.1"]);
    assert.deepEqual(deliveriesOf(declining), []);
    const passing = await routed([router("a", { kind: "pass" }, { more: false }), last]);
    assert.deepEqual(deliveriesOf(passing), ["last:smtp:alice@example.com"]);
  });

  test("with more = false goes on when a precondition does not hold", async () => {
    const preconditions = preconditionsWith({ domains: list(OUT) });
    const chain = [
      router("a", decline, { more: false, preconditions }),
      router("b", accept("smtp")),
    ];
    assert.deepEqual(deliveriesOf(await routed(chain)), ["b:smtp:alice@example.com"]);
  });

  test("fail and defer end it with their status", async () => {
    const last = router("last", accept("smtp"));
    const failing = await routed([router("a", { kind: "fail", status: GONE }), last]);
    assert.deepEqual(troublesOf(failing), ["failed:a:alice@example.com:5.1.6"]);
    const deferring = await routed([router("a", { kind: "defer", status: LATER }), last]);
    assert.deepEqual(troublesOf(deferring), ["deferred:a:alice@example.com:4.4.3"]);
    assert.deepEqual([...failing.deliveries, ...deferring.deliveries], []);
  });

  test("a discarded address is named with its reason", async () => {
    const { discarded, troubles } = await routed([router("a", { kind: "discard", why: "spam" })]);
    assert.deepEqual(
      discarded.map(({ mailbox: { address }, router: by, why }) => [address, by, why]),
      [["alice@example.com", "a", "spam"]],
    );
    assert.deepEqual(troubles, []);
  });

  test("hands a router the address, where it came from, the sender and the client", async () => {
    let seen: unknown;
    const chain = [
      router("alias", ({ mailbox: { localPart } }) =>
        localPart === "alice" ? redirect("bob@example.org") : decline,
      ),
      router("spy", (subject, context) => {
        seen = { subject, context };
        return accept("smtp");
      }),
    ];
    await routed(chain, "Alice@example.com".toLowerCase(), { ...request, verify: true });
    assert.deepEqual(seen, {
      subject: { mailbox: mailbox("bob@example.org"), original: mailbox("alice@example.com") },
      context: { sender: request.sender, client: request.client, account: {}, verify: true },
    });
  });

  test("hosts go with the delivery", async () => {
    const hosts = [{ name: "mx.example.org", addresses: ["192.0.2.7"] }];
    const { deliveries } = await routed([
      router("a", { kind: "accept", transport: "smtp", hosts }),
    ]);
    assert.deepEqual(deliveries[0]?.hosts, hosts);
  });
});

describe("an address that no router takes", () => {
  const ours = { match: (domain: string) => (domain === "example.com" ? IN : OUT) };
  const end = async (to: string, ...chain: readonly ChainRouter[]) => {
    const route = createRoute(chain, recordingLog(), 1000, ours);
    const [trouble] = (await route(mailbox(to), request)).troubles;
    const { status: reply, why, unrouted } = trouble ?? assert.fail("it was taken");
    return [`${reply.code} ${reply.enhanced} ${reply.text}`, why, unrouted];
  };
  const NO_TARGET = status(550, "4.4", "no address that mail can be sent to");
  const knows = (name: string, reply = NO_TARGET) =>
    router(name, { kind: "decline", status: reply, why: "all are ignored" });

  test("is no user of ours, and of others' domains we know no users", async () => {
    const silent = router("silent", { kind: "decline", why: "not in aliases" });
    assert.deepEqual(await end("x@example.com", silent), [
      "550 5.1.1 No such user here",
      undefined,
      true,
    ]);
    assert.deepEqual(await end("x@example.net", silent), [
      "550 5.4.4 There is no route to example.net from here",
      "no router takes example.net",
      true,
    ]);
  });

  test("has the reply of the first router that knew why, also where that was the last to be asked", async () => {
    const reason = [
      "550 5.4.4 no address that mail can be sent to",
      "a: all are ignored",
      undefined,
    ];
    const other = knows("b", status(550, "1.2", "no such domain"));
    assert.deepEqual(await end("x@example.net", knows("a"), other), reason);
    assert.deepEqual(
      await end("x@example.net", { ...knows("a"), more: false }, router("b", accept("smtp"))),
      reason,
    );
  });

  test("is taken by a later router in spite of a reason, and a copy's reason is none", async () => {
    const routing = await routed([knows("a"), router("b", accept("smtp"))]);
    assert.deepEqual([deliveriesOf(routing).length, routing.troubles], [1, []]);
    const copying = { ...knows("copy"), unseen: true };
    assert.equal((await end("x@example.net", copying))[1], "no router takes example.net");
  });

  test("is deferred when a driver gives a temporary reason for good", async () => {
    const odd = knows("odd", status(451, "4.3", "later"));
    assert.deepEqual(troublesOf(await routed([odd])), ["deferred:odd:alice@example.com:4.3.0"]);
  });
});

describe("what a driver should not do", () => {
  test("to throw defers and is logged", async () => {
    const log = recordingLog();
    const broken = router("broken", () => {
      throw new Error("boom");
    });
    const routing = await createRoute([broken, router("b", accept("smtp"))], log)(
      mailbox("alice@example.com"),
      request,
    );
    assert.deepEqual(troublesOf(routing), ["deferred:broken:alice@example.com:4.3.0"]);
    assert.deepEqual(log.named("relay.error"), [{ where: "router broken", error: "Error: boom" }]);
  });

  test("what is no decision defers: neither a bounce nor silence comes of a bug", async () => {
    const wrong: readonly unknown[] = [
      undefined,
      { kind: "accepted" },
      { kind: "redirect", to: [] },
      { kind: "fail", status: LATER },
      { kind: "fail" },
    ];
    for (const answer of wrong) {
      const odd: ChainRouter = router("odd", decline);
      Object.assign(odd.router, { route: () => answer });
      assert.deepEqual(
        troublesOf(await routed([odd])),
        ["deferred:odd:alice@example.com:4.3.0"],
        JSON.stringify(answer),
      );
    }
  });
});

describe("preconditions", () => {
  test("are tested in Exim's order, and the first that does not hold decides", async () => {
    const asked: string[] = [];
    const spy = (name: string, answer: Match) => ({
      match(text: string) {
        asked.push(`${name} ${text}`);
        return answer;
      },
    });
    const preconditions = preconditionsOf({
      senderLocalParts: spy("sender_local_parts", IN),
      senderDomains: spy("sender_domains", OUT),
      localParts: spy("local_parts", IN),
      domains: spy("domains", IN),
    });
    await routed([router("a", accept("smtp"), { preconditions })], "Alice@Example.COM");
    assert.deepEqual(asked, [
      "domains example.com",
      "local_parts Alice",
      "sender_domains example.net",
    ]);
  });

  test("what the lists vouch for is the account; the wire never is", async () => {
    const preconditions = preconditionsOf({
      domains: list({ kind: "in", key: "example.com", why: "" }),
      localParts: list({ kind: "in", key: "bob", why: "" }),
      senderDomains: list({ kind: "in", why: "only a * matched" }),
      senderLocalParts: list({ kind: "in", key: "carol", why: "" }),
    });
    const { deliveries } = await routed([router("a", accept("smtp"), { preconditions })]);
    assert.deepEqual(deliveries[0]?.account, {
      domain: "example.com",
      localPart: "bob",
      senderLocalPart: "carol",
    });
  });

  test("each router has the account of its own lists only", async () => {
    const preconditions = preconditionsWith({ localParts: list(IN) });
    const chain = [
      router("copy", accept("file"), { preconditions, unseen: true }),
      router("main", accept("smtp")),
    ];
    const { deliveries } = await routed(chain);
    assert.deepEqual(
      deliveries.map(({ account }) => account),
      [{ localPart: "key" }, {}],
    );
  });

  test("a list that cannot be read defers, in every place and at once or late: it never counts as no", async () => {
    const places = ["domains", "localParts", "senderDomains", "senderLocalParts"] as const;
    for (const place of places) {
      for (const answer of [UNKNOWN, Promise.resolve(UNKNOWN)]) {
        const preconditions = preconditionsWith({ [place]: { match: () => answer } });
        const chain = [
          router("a", accept("smtp"), { preconditions }),
          router("b", accept("other")),
        ];
        const routing = await routed(chain);
        assert.deepEqual(troublesOf(routing), ["deferred:a:alice@example.com:4.3.0"], place);
        assert.deepEqual(routing.deliveries, []);
      }
    }
  });

  test("the null sender is in no list of senders", async () => {
    for (const place of ["senderDomains", "senderLocalParts"] as const) {
      const preconditions = preconditionsWith({ [place]: list(IN) });
      const chain = [router("a", accept("file"), { preconditions }), router("b", accept("smtp"))];
      const routing = await routed(chain, "alice@example.com", { ...request, sender: null });
      assert.deepEqual(deliveriesOf(routing), ["b:smtp:alice@example.com"]);
    }
  });
});

describe("the trace", () => {
  test("has a line for each router that was met, and says why", async () => {
    const trace: TraceStep[] = [];
    const chain = [
      router("senders", accept("sent"), {
        preconditions: preconditionsWith({ senderDomains: list(OUT) }),
      }),
      router("copy", accept("file"), {
        unseen: true,
        preconditions: preconditionsWith({ localParts: list(IN) }),
      }),
      router("maybe", { kind: "decline", why: "not mine" }),
      router("main", accept("smtp")),
      router("never", accept("smtp")),
    ];
    await routed(chain, "alice@example.com", { ...request, trace });
    assert.deepEqual(
      trace.map(({ router: by, result, why }) => `${by} ${result}: ${why}`),
      [
        "senders skipped: sender_domains: not listed",
        "copy accept: local_parts: listed",
        "maybe decline: not mine",
        "main accept: ",
      ],
    );
  });
});
