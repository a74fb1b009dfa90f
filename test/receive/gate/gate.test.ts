import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GateOptions } from "../../../src/receive/gate/gate-options.ts";
import type { Client } from "../../../src/mail/envelope.ts";
import { Gate, type Verdict } from "../../../src/receive/gate/gate.ts";
import { statusLine } from "../../../src/mail/status.ts";
import { bench, txtResolver } from "../../lists/support.ts";
import { mailbox } from "../../support/build.ts";

type Relay = GateOptions["relay"][number];

const TLS = { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };

function rule(given: Partial<Relay> & Pick<Relay, "hosts">): Relay {
  return {
    sender_domains: ["*"],
    sender_local_parts: undefined,
    client_certificates: undefined,
    rate: undefined,
    sender_rate: undefined,
    require_tls: false,
    proof: undefined,
    null_sender: "refuse",
    ...given,
  };
}

const TENANT = { header: ["X-Unseen-Tenant: s3cret"], dkim: undefined };

const google = rule({
  hosts: ["+google_relays"],
  sender_domains: ["+ours"],
  require_tls: true,
  proof: TENANT,
  null_sender: "proof",
});

/** What the gate says of one recipient; `by` is the client's address. */
async function judged(
  relay: readonly Relay[],
  question: { by: string; from?: string | null; to?: string; tls?: boolean },
  given: Parameters<typeof bench>[0] = {},
): Promise<Verdict> {
  using here = bench({
    domains: { ours: ["example.com", "*.example.com"] },
    hosts: { google_relays: ["192.0.2.0/24", "2001:db8::/32"], trusted: ["127.0.0.1", "::1"] },
    ...given,
  });
  const gate = new Gate(
    { local_domains: ["+ours"], dnsbl: [], dnsbl_action: "refuse", relay: [...relay] },
    here.lists,
  );
  const { by, from = "alice@example.com", to = "dave@example.org", tls = true } = question;
  const client: Client = { address: by, helo: "mail.google.test", ...(tls ? { tls: TLS } : {}) };
  return gate.judge(client, from === null ? null : mailbox(from), mailbox(to));
}

/** "accept gate.relay[0]", "refuse none: 550 5.7.1 …" */
function short(verdict: Verdict): string {
  const { kind, rule: by } = verdict;
  return verdict.kind === "accept"
    ? `${kind} ${by}`
    : `${kind} ${by}: ${statusLine(verdict.reply)}`;
}

const DENIED = "550 5.7.1 Relaying denied";

describe("mail for our own domains", () => {
  test("is accepted from everybody, whatever the sender says", async () => {
    for (const from of ["carol@example.net", "alice@example.com", null]) {
      for (const by of ["203.0.113.9", "2001:db9::1", "192.0.2.1"]) {
        const verdict = await judged([google], { by, from, to: "bob@EXAMPLE.com", tls: false });
        assert.equal(short(verdict), "accept local_domains");
        assert.ok(!("proof" in verdict));
      }
    }
  });

  test("is refused to a stranger whose address names a route that the next host may follow", async () => {
    for (const local of ["dave%example.org", "example.org!dave", '"dave@example.org"']) {
      const to = `${local}@example.com`;
      const refused = "refuse local_domains: 550 5.7.1 Relaying denied: the address names a route";
      assert.equal(short(await judged([google], { by: "203.0.113.9", to })), refused);
      for (const from of ["alice@example.com", "carol@example.net", null]) {
        const shared = await judged([google], { by: "192.0.2.1", from, to });
        assert.equal(short(shared), refused, "other organisations send through the same hosts");
      }
      const trusted = rule({ hosts: ["+trusted"] });
      assert.equal(
        short(await judged([trusted], { by: "127.0.0.1", to })),
        "accept local_domains",
        "hosts of a relay rule without a proof may relay anyway",
      );
    }
  });

  test("waits when the list of them cannot be read", async () => {
    const verdict = await judged(
      [],
      { by: "203.0.113.9" },
      { domains: { ours: ["lsearch:gone"] } },
    );
    assert.match(short(verdict), /^defer local_domains: 451 4\.3\.0 /);
  });

  test("from a host of a rule with a proof loses the secret on the way", async () => {
    const secret = { name: "x-unseen-tenant", value: "s3cret" };
    const ours = await judged([google], { by: "192.0.2.1", to: "bob@example.com" });
    assert.deepEqual(ours.kind === "accept" && ours.secrets, [secret]);
    const strange = await judged([google], { by: "203.0.113.9", to: "bob@example.com" });
    assert.ok(!("secrets" in strange));
  });
});

async function relayedBy(question: Parameters<typeof judged>[1]): Promise<string> {
  const verdict = await judged([google, rule({ hosts: ["+trusted"] })], question);
  if (verdict.kind !== "accept") return verdict.kind;
  const { relayed = false, claim, proof } = verdict;
  return `${relayed}${claim === undefined ? "" : " if shown"}${proof === undefined ? "" : " as it must be"}`;
}

describe("whose mail it is", () => {
  for (const [what, question, expected] of [
    ["a stranger's, whatever the sender", { by: "203.0.113.9" }, "false"],
    ["that of a trusted host", { by: "127.0.0.1" }, "true"],
    ["not a null sender's, where the rule refuses it", { by: "127.0.0.1", from: null }, "false"],
    ["Google's, if it shows the proof", { by: "192.0.2.1" }, "true if shown"],
    ["another tenant's", { by: "192.0.2.1", from: "carol@example.net" }, "false"],
    ["Google's without TLS", { by: "192.0.2.1", tls: false }, "false"],
    ["a null sender's of Google, if shown", { by: "192.0.2.1", from: null }, "true if shown"],
  ] as const) {
    test(`to a domain of ours is ${what}`, async () => {
      const to = "bob@example.com";
      assert.equal(await relayedBy({ ...question, to }), expected);
    });
  }

  test("to others is relayed, and has to show its proof", async () => {
    assert.equal(await relayedBy({ by: "192.0.2.1" }), "true as it must be");
    assert.equal(await relayedBy({ by: "127.0.0.1" }), "true");
  });

  test("is not known while a list of senders cannot be read", async () => {
    const relay = [rule({ hosts: ["+trusted"], sender_local_parts: ["lsearch:gone"] })];
    const verdict = await judged(relay, { by: "127.0.0.1", to: "bob@example.com" });
    assert.match(short(verdict), /^defer local_domains: 451 4\.3\.0 /);
  });
});

describe("mail for others", () => {
  test("is refused without a rule, to strangers, and to mail without an address", async () => {
    for (const by of ["203.0.113.9", "::ffff:203.0.113.9", "2001:db9::1", "", "mx.example.com"]) {
      assert.equal(short(await judged([google], { by })), `refuse none: ${DENIED}`, by);
    }
    assert.equal(short(await judged([], { by: "127.0.0.1" })), `refuse none: ${DENIED}`);
  });

  test("is judged by the first rule with the client, and by no other", async () => {
    const strict = rule({ hosts: ["192.0.2.1"], sender_domains: ["example.net"] });
    const lenient = rule({ hosts: ["192.0.2.0/24"] });
    const chain = [strict, lenient];
    assert.equal(
      short(await judged(chain, { by: "192.0.2.1" })),
      `refuse gate.relay[0]: ${DENIED}`,
    );
    assert.equal(short(await judged(chain, { by: "192.0.2.2" })), "accept gate.relay[1]");
  });

  test("an IPv4 client is the same in its IPv6 spelling, and no IPv6 network holds it", async () => {
    const v4 = [rule({ hosts: ["192.0.2.1"] })];
    const v6 = [rule({ hosts: ["::/1"] })];
    for (const by of ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"]) {
      assert.equal(short(await judged(v4, { by })), "accept gate.relay[0]", by);
      assert.equal(short(await judged(v6, { by })), `refuse none: ${DENIED}`, by);
    }
  });

  test("the sender must be in the domains of the rule", async () => {
    const ours = [rule({ hosts: ["+trusted"], sender_domains: ["+ours"] })];
    const by = "127.0.0.1";
    const accepted = ["alice@example.com", "alice@EXAMPLE.com", "alice@sub.example.com"];
    const refused = ["alice@example.net", "alice@example.com.evil.test", "alice@evilexample.com"];
    for (const from of accepted) {
      assert.equal(short(await judged(ours, { by, from })), "accept gate.relay[0]", from);
    }
    for (const from of refused) {
      assert.equal(
        short(await judged(ours, { by, from })),
        `refuse gate.relay[0]: ${DENIED}`,
        from,
      );
    }
  });

  test("the local part can be narrowed, with suffixes as they come", async () => {
    const relay = [rule({ hosts: ["+trusted"], sender_local_parts: ["alice"] })];
    const by = "127.0.0.1";
    for (const local of ["alice", "Alice", "alice+lists", "alice+caf_=dave=example.org"]) {
      const verdict = await judged(relay, { by, from: `${local}@example.com` });
      assert.equal(short(verdict), "accept gate.relay[0]", local);
    }
    const verdict = await judged(relay, { by, from: "mallory@example.com" });
    assert.equal(short(verdict), `refuse gate.relay[0]: ${DENIED}`);
  });

  test("without TLS is refused where the rule wants it, with a hint what to do", async () => {
    const verdict = await judged([google], { by: "192.0.2.1", tls: false });
    assert.match(short(verdict), /^refuse gate\.relay\[0\]: 530 5\.7\.0 .*STARTTLS/);
    const lenient = [{ ...google, require_tls: false }];
    assert.equal(
      short(await judged(lenient, { by: "192.0.2.1", tls: false })),
      "accept gate.relay[0]",
    );
  });

  test("says why", async () => {
    const verdict = await judged([google], { by: "192.0.2.1", from: "eve@other.test" });
    assert.match(verdict.why, /hosts: .*192\.0\.2\.0\/24.*sender_domains: "other\.test" is not/);
  });
});

const withPolicy = (null_sender: Relay["null_sender"]) => [
  rule({
    hosts: ["+trusted"],
    sender_domains: ["+ours"],
    sender_local_parts: ["alice"],
    proof: TENANT,
    null_sender,
  }),
];

describe("the null sender", () => {
  const by = "127.0.0.1";

  test("is refused unless the rule says otherwise", async () => {
    const verdict = await judged(withPolicy("refuse"), { by, from: null });
    assert.equal(short(verdict), `refuse gate.relay[0]: ${DENIED}`);
  });

  test("with accept skips the tests of the sender and the proof", async () => {
    const verdict = await judged(withPolicy("accept"), { by, from: null });
    assert.equal(short(verdict), "accept gate.relay[0]");
    assert.ok(!("proof" in verdict));
  });

  test("with accept does not take our secret out into the world", async () => {
    const verdict = await judged(withPolicy("accept"), { by, from: null });
    assert.deepEqual(verdict.kind === "accept" && verdict.secrets, [
      { name: "x-unseen-tenant", value: "s3cret" },
    ]);
  });

  test("with proof skips the tests of the sender, and must bring the proof", async () => {
    const verdict = await judged(withPolicy("proof"), { by, from: null });
    assert.equal(short(verdict), "accept gate.relay[0]");
    assert.ok(verdict.kind === "accept" && verdict.proof?.headers?.[0]?.value === "s3cret");
  });

  test("is let through by default where any sender is, and nowhere else; a proof is still asked for", async () => {
    const shorts = [];
    for (const given of [
      { sender_domains: ["*"] },
      { sender_domains: ["*"], proof: TENANT },
      { sender_domains: ["+ours"] },
      { sender_domains: ["!example.org", "*"] },
    ]) {
      const relay = [rule({ hosts: ["+trusted"], null_sender: undefined, ...given })];
      const verdict = await judged(relay, { by, from: null });
      shorts.push(`${short(verdict)}${"proof" in verdict ? " with proof" : ""}`);
    }
    assert.deepEqual(shorts, [
      "accept gate.relay[0]",
      "accept gate.relay[0] with proof",
      `refuse gate.relay[0]: ${DENIED}`,
      `refuse gate.relay[0]: ${DENIED}`,
    ]);
  });

  test("needs TLS like any other", async () => {
    const verdict = await judged([google], { by: "192.0.2.1", from: null, tls: false });
    assert.match(short(verdict), /^refuse gate\.relay\[0\]: 530 /);
  });
});

describe("the proof", () => {
  test("is asked of every sender of the rule, by name in lower case and value", async () => {
    const verdict = await judged([google], { by: "192.0.2.1" });
    assert.deepEqual(verdict.kind === "accept" && verdict.proof, {
      headers: [{ name: "x-unseen-tenant", value: "s3cret" }],
    });
  });

  test("by DKIM is a list of domains", async () => {
    const relay = [{ ...google, proof: { dkim: ["+ours"], header: undefined } }];
    const verdict = await judged(relay, { by: "192.0.2.1" });
    const proof = verdict.kind === "accept" ? verdict.proof : undefined;
    assert.deepEqual(Object.keys(proof ?? {}), ["dkim"]);
    assert.equal((await proof?.dkim?.match("mail.example.com"))?.kind, "in");
    assert.equal((await proof?.dkim?.match("example.org"))?.kind, "out");
  });
});

describe("trouble shuts the gate", () => {
  test("a list of senders that cannot be read defers, and one that can still refuses", async () => {
    const relay = [rule({ hosts: ["+trusted"], sender_domains: ["lsearch:gone"] })];
    assert.match(short(await judged(relay, { by: "127.0.0.1" })), /^defer gate\.relay\[0\]: 451 /);
    const narrowed = [
      rule({
        hosts: ["+trusted"],
        sender_domains: ["+ours"],
        sender_local_parts: ["lsearch:gone"],
      }),
    ];
    assert.match(
      short(await judged(narrowed, { by: "127.0.0.1" })),
      /^defer gate\.relay\[0\]: 451 /,
    );
    const verdict = await judged(narrowed, { by: "127.0.0.1", from: "x@other.test" });
    assert.equal(short(verdict), `refuse gate.relay[0]: ${DENIED}`);
  });

  test("an spf: list without an answer, or open to all, holds nobody", async () => {
    for (const txt of [undefined, "temporary", ["v=spf1 +all"], ["v=spf1 -all"], []] as const) {
      const resolver = txtResolver(() => (txt === undefined ? {} : { "google.test": txt }));
      const hosts = { google_relays: ["spf:google.test"] };
      using here = bench({ hosts, resolver });
      await here.lists.refresh();
      const options = {
        local_domains: ["example.com"],
        dnsbl: [],
        dnsbl_action: "refuse" as const,
        relay: [rule({ hosts: ["+google_relays"] })],
      };
      const gate = new Gate(options, here.lists);
      const client = { address: "192.0.2.1", helo: "x" };
      const verdict = await gate.judge(
        client,
        mailbox("alice@example.com"),
        mailbox("d@example.org"),
      );
      assert.equal(short(verdict), `refuse none: ${DENIED}`, String(txt));
      await here.lists.close();
    }
  });
});

test("hosts of any relay rule have slots of their own", () => {
  using here = bench({ hosts: { trusted: ["127.0.0.1"] } });
  const relay = [rule({ hosts: ["+trusted"] }), rule({ hosts: ["192.0.2.0/24"] })];
  const gate = new Gate(
    { local_domains: ["example.com"], dnsbl: [], dnsbl_action: "refuse", relay },
    here.lists,
  );
  const asked = ["127.0.0.1", "192.0.2.7", "::ffff:192.0.2.7", "203.0.113.9", "::1"];
  assert.deepEqual(
    asked.filter((address) => gate.isRelayHost(address)),
    ["127.0.0.1", "192.0.2.7", "::ffff:192.0.2.7"],
  );
});
