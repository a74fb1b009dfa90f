// What a domain publishes at _smtp._tls, read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { destinationsOf } from "../../../src/parts/tls-reports/record.ts";

const urisOf = (...texts: readonly string[]) => destinationsOf(texts)?.map(({ uri }) => uri);

describe("the record", () => {
  test("names addresses and web servers", () => {
    const text = "v=TLSRPTv1; rua=mailto:tls@example.net, https://reports.example.net/v1?a=b";
    const [mail, https] = destinationsOf([text]) ?? [];
    assert.ok(mail?.kind === "mail" && https?.kind === "https");
    assert.equal(mail.mailbox.address, "tls@example.net");
    assert.equal(https.url.href, "https://reports.example.net/v1?a=b");
  });

  test("may hold fields that nobody knows, in any order", () => {
    assert.deepEqual(urisOf("v=TLSRPTv1;x=1;rua=mailto:a@example.net;y=2;"), [
      "mailto:a@example.net",
    ]);
  });

  test("may stand among records of other kinds", () => {
    assert.deepEqual(urisOf("v=spf1 -all", "v=TLSRPTv1;rua=mailto:a@example.net"), [
      "mailto:a@example.net",
    ]);
  });

  test("has its address decoded, without what comes behind a question mark", () => {
    const [mail] = destinationsOf(["v=TLSRPTv1;rua=mailto:a%2Bb@example.net?subject=x"]) ?? [];
    assert.ok(mail?.kind === "mail");
    assert.equal(mail.mailbox.address, "a+b@example.net");
  });

  for (const [what, texts] of Object.entries({
    "two of them": ["v=TLSRPTv1;rua=mailto:a@example.net", "v=TLSRPTv1;rua=mailto:b@example.net"],
    "another version": ["v=TLSRPTv2;rua=mailto:a@example.net"],
    "no rua": ["v=TLSRPTv1;"],
    nothing: [],
  })) {
    test(`asks for nothing with ${what}`, () => assert.equal(destinationsOf(texts), undefined));
  }

  for (const uri of [
    "http://example.net/",
    "mailto:a@example.net%0D%0ABcc:b@example.net",
    "mailto:%ff",
    "mailto:bürger@example.net",
    "mailto:nobody",
    "https://user:password@example.net/",
    "ftp://example.net/",
    "",
  ]) {
    test(`cannot send us to ${JSON.stringify(uri)}`, () =>
      assert.deepEqual(urisOf(`v=TLSRPTv1;rua=${uri}`), []));
  }

  test("has no more than four readers", () => {
    const many = Array.from({ length: 9 }, (_, index) => `mailto:a${index}@example.net`);
    assert.equal(urisOf(`v=TLSRPTv1;rua=${many.join(",")}`)?.length, 4);
  });
});
