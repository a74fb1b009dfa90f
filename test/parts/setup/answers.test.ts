// The answers of relayctl init: one canonical form, or one clause about what is wrong.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAddresses, readDomains, readHostname } from "../../../src/parts/setup/answers.ts";

function wrongOf(read: object): string {
  assert.ok("wrong" in read && typeof read.wrong === "string", JSON.stringify(read));
  assert.doesNotMatch(read.wrong, /\n/);
  return read.wrong;
}

describe("a mail domain", () => {
  const written: readonly (readonly [string, string])[] = [
    ["example.com", "example.com"],
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    [" example.com ", "example.com"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example.", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["1und1.example", "1und1.example"],
    ["a.b-c.example", "a.b-c.example"],
  ];
  for (const [text, domain] of written) {
    test(`${JSON.stringify(text)} is ${domain}`, () => {
      assert.deepEqual(readDomains([text]), { ok: [domain] });
    });
  }

  const wrong = [
    "",
    ".",
    "..",
    "localhost",
    "example",
    "example.com..",
    ".example.com",
    "a..example",
    "*.example.com",
    "@example.com",
    "alice@example.com",
    "192.0.2.25",
    "[192.0.2.25]",
    "[IPv6:2001:db8::1]",
    "-a.example",
    "a-.example",
    "under_score.example",
    "exam ple.com",
    "example.com\n[gate]",
    'example.com"',
    "example.com/../..",
    "ex\u0000ample.com",
    "example。com",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(126)}example`,
  ];
  for (const text of wrong) {
    test(`${JSON.stringify(text)} is none`, () => {
      assert.match(wrongOf(readDomains([text])), / is no name like example\.com$/);
    });
  }

  test("may be one of several, each once", () => {
    assert.deepEqual(readDomains(["example.com", "EXAMPLE.com.", "example.net"]), {
      ok: ["example.com", "example.net"],
    });
    wrongOf(readDomains([]));
    assert.match(wrongOf(readDomains(["example.com", "x"])), /"x"/);
  });
});

describe("the name of the relay", () => {
  test("is canonical, and may be in a domain of others", () => {
    assert.deepEqual(readHostname("MX.Example.com.", ["example.com"]), { ok: "mx.example.com" });
    assert.deepEqual(readHostname("mx.example.net", ["example.com"]), { ok: "mx.example.net" });
  });

  test("is not the mail domain, in whatever form", () => {
    for (const text of ["example.com", "EXAMPLE.com."]) {
      assert.match(wrongOf(readHostname(text, ["example.com"])), /like mx\.example\.com$/);
    }
    wrongOf(readHostname("xn--bcher-kva.example", ["xn--bcher-kva.example"]));
    wrongOf(readHostname("bücher.example", ["xn--bcher-kva.example"]));
  });

  for (const text of ["", "mx", "mx example.com", "mx_1.example.com", "192.0.2.25"]) {
    test(`is not ${JSON.stringify(text)}`, () => {
      wrongOf(readHostname(text, ["example.com"]));
    });
  }
});

describe("the addresses of the relay", () => {
  const written: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["192.0.2.25"], ["192.0.2.25"]],
    [[" 192.0.2.25 "], ["192.0.2.25"]],
    [["192.0.2.25", "192.0.2.25"], ["192.0.2.25"]],
    [["::ffff:192.0.2.25"], ["192.0.2.25"]],
    [["::FFFF:c000:219"], ["192.0.2.25"]],
    [["192.0.2.25", "::ffff:192.0.2.25"], ["192.0.2.25"]],
    [
      ["2001:DB8:0:0:0:0:0:25", "198.51.100.1", "2001:db8::25", "192.0.2.25"],
      ["198.51.100.1", "192.0.2.25", "2001:db8::25"],
    ],
    [["255.255.255.255".replaceAll("255", "203")], ["203.203.203.203"]],
  ];
  for (const [texts, addresses] of written) {
    test(`${texts.join(" ")} are ${addresses.join(" ")}`, () => {
      assert.deepEqual(readAddresses(texts), { ok: addresses });
    });
  }

  const noAddress = [
    "",
    "mx.example.com",
    "192.0.2.25:25",
    "192.0.2.0/24",
    "192.0.2",
    "192.0.2.025",
    "3221226009",
    "[2001:db8::25]",
    "IPv6:2001:db8::25",
    "2001:db8::25%eth0",
    "2001:db8::192.0.2.25",
    "2001:db8::25/64",
  ];
  for (const text of noAddress) {
    test(`${JSON.stringify(text)} is none`, () => {
      assert.match(wrongOf(readAddresses(["192.0.2.25", text])), / is no IPv4 or IPv6 address$/);
    });
  }

  const notPublic = ["10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0"];
  for (const text of [
    ...notPublic,
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
  ]) {
    test(`${text} is not public`, () => {
      assert.match(wrongOf(readAddresses([text])), / is no public address/);
    });
  }

  test("have one of IPv4", () => {
    assert.match(wrongOf(readAddresses(["2001:db8::25"])), /^one IPv4 address is needed/);
    wrongOf(readAddresses([]));
  });
});
