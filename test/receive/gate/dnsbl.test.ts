import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Answer } from "../../../src/dns/dns.ts";
import { Gate, type Verdict } from "../../../src/receive/gate/gate.ts";
import { BlockLists, parseBlockList, reversedAddress } from "../../../src/receive/gate/dnsbl.ts";
import { statusLine } from "../../../src/mail/status.ts";
import { bench } from "../../lists/support.ts";
import { mailbox } from "../../support/build.ts";
import { recordingLog } from "../../support/services.ts";

type Records = Readonly<Record<string, readonly string[] | "temporary">>;

function listsOf(items: readonly string[], records: Records) {
  const asked: string[] = [];
  const log = recordingLog();
  const resolver = {
    async a(name: string): Promise<Answer<string>> {
      asked.push(name);
      const found = records[name];
      if (found === undefined) return { kind: "no-such-name" };
      if (found === "temporary") return { kind: "temporary", error: "SERVFAIL" };
      return { kind: "found", records: found };
    },
  };
  return { lists: new BlockLists(items, resolver, log), asked, log };
}

describe("an address", () => {
  test("is asked for backwards, octet by octet or nibble by nibble", () => {
    assert.equal(reversedAddress("192.0.2.99"), "99.2.0.192");
    assert.equal(
      reversedAddress("2001:db8:1::2"),
      "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2",
    );
    assert.equal(reversedAddress("rubbish"), undefined);
  });

  test("is listed by the first list that has it, and all lists are asked", async () => {
    const { lists, asked } = listsOf(["one.test", "two.test", "three.test"], {
      "9.113.0.203.two.test": ["127.0.0.4"],
      "9.113.0.203.three.test": ["127.0.0.2"],
    });
    assert.deepEqual(await lists.find("203.0.113.9"), { zone: "two.test", code: "127.0.0.4" });
    assert.equal(asked.length, 3);
    assert.equal(await lists.find("203.0.113.10"), undefined);
  });

  const judged: [answers: readonly string[], listed: boolean][] = [
    [["127.0.0.2"], true],
    [["127.0.0.4"], true],
    [["127.0.0.5"], false],
    [["127.0.0.9"], true],
    [["127.0.0.10", "127.0.0.3"], true],
    [["127.0.1.3"], false],
    [["127.0.0.33"], false],
  ];
  for (const [answers, listed] of judged) {
    test(`with ${answers.join(" and ")} is ${listed ? "" : "not "}on a list that counts 2 to 4 and 9`, async () => {
      const { lists } = listsOf(["bl.test=127.0.0.2-4,127.0.0.9"], {
        "9.113.0.203.bl.test": answers,
      });
      assert.equal((await lists.find("203.0.113.9")) !== undefined, listed);
    });
  }
});

describe("a list that gives no clear answer", () => {
  for (const answer of [
    "temporary",
    ["127.255.255.254"],
    ["127.0.0.2", "127.255.255.252"],
    ["198.51.100.7"],
  ] as const) {
    test(`(${answer.toString()}) lets everybody in and is logged once`, async () => {
      const { lists, log } = listsOf(["bl.test"], {
        "9.113.0.203.bl.test": answer,
        "8.113.0.203.bl.test": answer,
      });
      assert.equal(await lists.find("203.0.113.9"), undefined);
      assert.equal(await lists.find("203.0.113.8"), undefined);
      assert.equal(log.named("lookup.failed").length, 1);
      await lists.find("203.0.113.7");
      await lists.find("203.0.113.8");
      assert.equal(log.named("lookup.failed").length, 2, "it had answered in between");
    });
  }
});

test("what is no block list is not taken for one", () => {
  for (const text of [
    "zen",
    "zen.spamhaus.org=",
    "zen.spamhaus.org=10.0.0.1",
    "zen.spamhaus.org=127.0.0.9-2",
  ]) {
    assert.equal(parseBlockList(text), undefined, text);
  }
  for (const text of ["bl.test=127.0.0.256", "bl.test=127.0.0.1-300", "a=b=c", "", "bl .test"]) {
    assert.equal(parseBlockList(text), undefined, text);
  }
});

const client = (address: string) => ({ address, helo: "x.test" });

function short(verdict: Verdict): string {
  return verdict.kind === "accept" ? "accept" : statusLine(verdict.reply);
}

describe("the gate", () => {
  const records = { "9.113.0.203.bl.test": ["127.0.0.2"], "1.2.0.192.bl.test": ["127.0.0.2"] };

  async function atTheGate(
    action: "refuse" | "disconnect",
    play: (gate: Gate, asked: readonly string[]) => Promise<void>,
  ) {
    using here = bench();
    const { lists, asked } = listsOf(["bl.test"], records);
    const relay = [
      {
        hosts: ["192.0.2.0/24"],
        sender_domains: ["*"],
        sender_local_parts: undefined,
        client_certificates: undefined,
        rate: undefined,
        sender_rate: undefined,
        require_tls: false,
        proof: undefined,
        null_sender: "refuse" as const,
      },
    ];
    const options = { local_domains: ["example.com"], dnsbl: [], dnsbl_action: action, relay };
    await play(new Gate(options, here.lists, lists), asked);
  }

  test("refuses what a listed client sends, but not to the postmaster", () =>
    atTheGate("refuse", async (gate) => {
      const judge = async (address: string, to: string) =>
        short(await gate.judge(client(address), mailbox("a@b.test"), mailbox(to)));
      assert.equal(
        await judge("203.0.113.9", "bob@example.com"),
        "554 5.7.1 Refused, 203.0.113.9 is listed by bl.test",
      );
      assert.equal(await judge("203.0.113.9", "Postmaster@example.com"), "accept");
      assert.equal(await judge("203.0.113.10", "bob@example.com"), "accept");
      assert.equal(await judge("203.0.113.9", "x@other.test"), "550 5.7.1 Relaying denied");
    }));

  test("asks no list about the hosts of a relay rule", () =>
    atTheGate("disconnect", async (gate, asked) => {
      assert.equal(await gate.welcome(client("192.0.2.1")), undefined);
      const verdict = await gate.judge(client("192.0.2.1"), null, mailbox("bob@example.com"));
      assert.equal(verdict.kind, "accept");
      assert.deepEqual(asked, []);
    }));

  test("greets everybody at once, and asks about them meanwhile", () =>
    atTheGate("refuse", async (gate, asked) => {
      assert.equal(gate.welcome(client("203.0.113.9")), undefined);
      assert.deepEqual(asked, ["9.113.0.203.bl.test"]);
    }));

  test("does not greet a listed client when it is to be disconnected", () =>
    atTheGate("disconnect", async (gate) => {
      const refusal = await gate.welcome(client("203.0.113.9"));
      assert.equal(refusal?.code, 554);
      assert.equal(await gate.welcome(client("203.0.113.10")), undefined);
    }));
});
