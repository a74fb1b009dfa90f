// The dry run for people: which lines there are for what.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { CheckedRecipient, CheckReport } from "../../src/check/check.ts";
import { reportText } from "../../src/check/text.ts";
import type { DomainList } from "../../src/lists/lists.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { checked, delivery, DENIED, LATER, refused, report } from "./reports.ts";

function linesOf(recipients: readonly CheckedRecipient[], given: Partial<CheckReport> = {}) {
  return stripVTControlCharacters(reportText(report(recipients, given))).split("\n");
}

/** The lines of one recipient, behind those of client and sender. */
function linesFor(given: Partial<CheckedRecipient>): string[] {
  return linesOf([checked(given)]).slice(3, -1);
}

describe("the top of a report", () => {
  const client = { address: "192.0.2.1", helo: "client.example.org" };
  const tls = { version: "TLSv1.3", cipher: "x" };
  const table: readonly (readonly [given: Partial<CheckReport>, lines: readonly string[]])[] = [
    [
      {},
      [
        "  from    <alice@example.org>",
        "  client  192.0.2.1, HELO client.example.org, without TLS",
      ],
    ],
    [
      { sender: null, client: { ...client, tls } },
      ["  from    <>", "  client  192.0.2.1, HELO client.example.org, with TLS"],
    ],
    [
      { client: { ...client, helo: "a\u001b[2J" } },
      ["  from    <alice@example.org>", "  client  192.0.2.1, HELO a\\u001b[2J, without TLS"],
    ],
  ];
  for (const [given, lines] of table) {
    it(lines.join("; "), () => assert.deepEqual(linesOf([], given), [...lines, ""]));
  }
});

describe("a recipient", () => {
  const bob = mailbox("bob@example.com");
  const carol = mailbox("carol@example.com");
  const trouble = { mailbox: bob, router: "world", unseen: false, kind: "failed" as const };
  const head = [
    "bob@example.com: routed",
    "  gate    accept by local_domains",
    "            example.com is in local_domains",
  ];
  const reply = "  reply   250 2.1.5 Recipient ok";
  const table: readonly (readonly [
    what: string,
    given: Partial<CheckedRecipient>,
    lines: readonly string[],
  ])[] = [
    ["of whom there is nothing to say", {}, [...head, reply]],
    [
      "who is refused for want of a rule",
      refused("refuse"),
      [
        "bob@example.com: failed",
        "  gate    refuse for want of a rule",
        "            no rule",
        "  reply   550 5.7.1 Relaying denied",
      ],
    ],
    [
      "whose name would move the cursor",
      { address: "a\u001b[2J@example.com" },
      ["a\\u001b[2J@example.com: routed", ...head.slice(1), reply],
    ],
    [
      "with the steps of the chain, each condition on a line of its own",
      {
        trace: [
          { address: "bob@example.com", router: "alias", result: "redirect", why: "a; b" },
          { address: "carol@example.com", router: "accounts", result: "accept", why: "" },
        ],
      },
      [
        ...head,
        "  router  alias: redirect",
        "            a",
        "            b",
        "  address carol@example.com",
        "  router  accounts: accept",
        "            no conditions",
        reply,
      ],
    ],
    [
      "with a copy and a mail",
      {
        deliveries: [
          delivery({ transport: "store", unseen: true, path: "/mail/bob" }),
          delivery({ nextHops: [{ name: "mx.example.com" }, { name: "192.0.2.1", port: 26 }] }),
        ],
      },
      [
        ...head,
        "  copy    store: /mail/bob",
        "  mail    google: mx.example.com, 192.0.2.1:26",
        reply,
      ],
    ],
    ["with a mail to nowhere", { deliveries: [delivery()] }, [...head, "  mail    google", reply]],
    [
      "without a host",
      { deliveries: [delivery({ nextHops: [] })] },
      [
        ...head,
        "  mail    google: neither the router nor the transport has a host, so the mail",
        "          would wait",
        reply,
      ],
    ],
    [
      "without a safe path",
      { deliveries: [delivery({ unseen: true, unsafe: true })] },
      [
        ...head,
        "  copy    google: the account gives no safe path, so the copy would be frozen",
        reply,
      ],
    ],
    [
      "with one word on TLS for all hosts",
      {
        deliveries: [
          delivery({
            tls: [
              { host: "a", rule: "verify", why: "tls = verify" },
              { host: "b", rule: "verify", why: "tls = verify" },
            ],
          }),
        ],
      },
      [...head, "  mail    google", "  tls     tls = verify", reply],
    ],
    [
      "with a word on TLS for each host",
      {
        deliveries: [
          delivery({
            tls: [
              { host: "a", rule: "dane", why: "DANE" },
              { host: "b", rule: "barred", why: "no answer" },
            ],
          }),
        ],
      },
      [
        ...head,
        "  mail    google",
        "  tls     a: DANE",
        "  tls     b: nothing is sent: no answer",
        reply,
      ],
    ],
    [
      "that is discarded",
      { outcome: "discarded", discarded: [{ mailbox: bob, router: "bin", why: "no-reply" }] },
      ["bob@example.com: discarded", ...head.slice(1), "  discard by bin: no-reply", reply],
    ],
    [
      "that no router takes",
      { troubles: [{ ...trouble, router: "", status: status(550, "1.1", "x") }] },
      [...head, "  end     no router takes it", reply],
    ],
    [
      "whose alias leads to somebody whom no router takes",
      { troubles: [{ ...trouble, router: "", mailbox: carol, status: status(550, "1.1", "x") }] },
      [...head, "  end     no router takes it for carol@example.com", reply],
    ],
    [
      "whose copy waits",
      { troubles: [{ ...trouble, kind: "deferred", unseen: true, status: LATER }] },
      [...head, "  trouble copy: 451 4.4.3 Try again later, by world", reply],
    ],
    [
      "whose trouble is the reply",
      { reply: DENIED, troubles: [{ ...trouble, status: DENIED }] },
      [...head, "  reply   550 5.7.1 Relaying denied"],
    ],
  ];
  for (const [what, given, lines] of table) {
    it(what, () => assert.deepEqual(linesFor(given), lines));
  }
});

describe("the message", () => {
  const header = { name: "x-tenant", value: "s3cret" };
  const dkim: DomainList = { match: () => ({ kind: "out", why: "" }) };
  const table: readonly (readonly [given: Partial<CheckReport>, lines: readonly string[]])[] = [
    [{ message: DENIED, proofs: [{ dkim }] }, ["  message 550 5.7.1 Relaying denied"]],
    [
      { proofs: [{ headers: [header, { ...header, value: "other" }] }] },
      ["  message must have the header x-tenant with its secret, or it is refused"],
    ],
    [
      { proofs: [{ headers: [header], dkim }], claims: [{ dkim }] },
      [
        "  message must have the header x-tenant with its secret or a DKIM signature of",
        "          its author's domain, or it is refused",
      ],
    ],
    [
      { proofs: [{ dkim }, { headers: [header] }] },
      [
        "  message must have a DKIM signature of its author's domain and the header",
        "          x-tenant with its secret, or it is refused",
      ],
    ],
    [
      { claims: [{ headers: [header] }] },
      [
        "  message must have the header x-tenant with its secret, or it is not relayed =",
        "          true",
      ],
    ],
  ];
  for (const [given, lines] of table) {
    it(lines.join(" "), () => {
      assert.deepEqual(linesOf([], given).slice(3), [...lines, ""]);
      assert.doesNotMatch(lines.join(), /s3cret/);
    });
  }
});

describe("the batches", () => {
  const names = Array.from({ length: 6 }, (_, index) => `user${index}@example.com`);
  it("are counted, each with its place and its recipients", () => {
    const batches = [
      { transport: "store", unseen: true, path: "/mail/bob", recipients: ["bob@example.com"] },
      {
        transport: "google",
        unseen: false,
        nextHops: [{ name: "a.test" }, { name: "b.test" }, { name: "c.test" }],
        recipients: names,
      },
    ];
    assert.deepEqual(linesOf([], { batches }).slice(3), [
      "2 batches",
      "  copy    store: /mail/bob",
      "            for bob@example.com",
      "  mail    google: a.test and 2 more",
      "            for user0@example.com, user1@example.com, user2@example.com,",
      "            user3@example.com, user4@example.com, user5@example.com",
      "",
    ]);
    const [first = assert.fail()] = batches;
    assert.equal(linesOf([], { batches: [first] })[3], "1 batch");
  });
});
