import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMailbox } from "../../src/mail/address.ts";

describe("parseMailbox", () => {
  const good: [text: string, localPart: string, domain: string][] = [
    ["alice@example.com", "alice", "example.com"],
    ["Alice.B@EXAMPLE.com", "Alice.B", "example.com"],
    ["a+b=c%d!e@example.com", "a+b=c%d!e", "example.com"],
    ['"a b"@example.com', "a b", "example.com"],
    ['"a@evil.test"@example.com', "a@evil.test", "example.com"],
    ['"a\\"b"@example.com', 'a"b', "example.com"],
    ['""@example.com', "", "example.com"],
    ["müller@example.com", "müller", "example.com"],
    ["a@bücher.example", "a", "xn--bcher-kva.example"],
    ["a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"],
    ["a@[192.0.2.1]", "a", "[192.0.2.1]"],
    ["a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]"],
    ["a@my_host.example.com", "a", "my_host.example.com"],
    ["a@localhost", "a", "localhost"],
    [".a@example.com", ".a", "example.com"],
    ["a.@example.com", "a.", "example.com"],
    ["a..b@example.com", "a..b", "example.com"],
    ["..@example.com", "..", "example.com"],
    [".@example.com", ".", "example.com"],
    ["m\u00fcller..@example.com", "m\u00fcller..", "example.com"],
    ["a@example-.com", "a", "example-.com"],
    ["a@mail.example.com-", "a", "mail.example.com-"],
  ];
  for (const [text, localPart, domain] of good) {
    it(`reads ${text} in one way and keeps its spelling`, () => {
      assert.deepEqual(parseMailbox(text), { address: text, localPart, domain });
    });
  }

  const bad = [
    "",
    "@",
    "alice",
    "alice@",
    "@example.com",
    "@relay.test:alice@example.com",
    "a@b@example.com",
    "a b@example.com",
    "a@example.com.",
    "a@.example.com",
    "a@example..com",
    "a@-example.com",
    "a@192.0.2.1",
    "a@[192.0.2.256]",
    "a@[192.0.2.1",
    "a@[IPv6:::ffff:1.2.3.4.5]",
    "a@ex\u3002ample.com",
    "a@example.xn--com-",
    "a@exa\u00admple.com",
    "a@\u212Aiosk.example",
    "a@bu\u0308cher.example",
    "a\uFFFD@example.com",
    "a\u0000@example.com",
    "a\r\n@example.com",
    '"a\r"@example.com',
    "a\t@example.com",
    '"a\tb"@example.com',
    "a\u0085b@example.com",
    "a\u009bb@example.com",
    '"a\u0080"@example.com',
    "a@\u0085example.com",
    "a@-.com",
    '"a"b@example.com',
    '"a@example.com',
    "a(comment)@example.com",
    "a@example.com(comment)",
    "a<b@example.com",
    `${"a".repeat(250)}@example.com`,
    `a@${"b".repeat(64)}.com`,
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseMailbox(text), undefined));
  }
});
