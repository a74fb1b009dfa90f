import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { coversEverybody, hostItemProblem } from "../../src/lists/host-items.ts";

describe("hostItemProblem", () => {
  for (const item of [
    "192.0.2.1",
    "192.0.2.0/24",
    "10.1.2.3/8",
    "2001:db8::/32",
    "::1",
    "::ffff:10.0.0.0/104",
    "spf:_spf.google.com",
    "spf:EXAMPLE.com",
    "+trusted",
    "*",
    "!*",
    "!192.0.2.1",
    "!+trusted",
    "!spf:example.com",
  ]) {
    test(`has nothing against ${item}`, () => assert.equal(hostItemProblem(item), undefined));
  }

  for (const [item, problem] of [
    ["", /must be an address/],
    ["mx.example.com", /must be an address/],
    ["*.example.com", /must be an address/],
    ["10.0.0", /must be an address/],
    ["010.0.0.1", /must be an address/],
    ["64:ff9b::8.8.8.8", /must be an address/],
    ["fe80::1%eth0", /zone ids/],
    ["!!192.0.2.1", /one "!"/],
    [" 192.0.2.1", /white space/],
    ["! 192.0.2.1", /white space/],
    ["192.0.2.0/33", /prefix length.*0 to 32/],
    ["2001:db8::/129", /prefix length.*0 to 128/],
    ["192.0.2.0/024", /prefix length/],
    ["192.0.2/24", /no valid address before/],
    ["192.0.2.0/24/24", /no valid address before/],
    ["+", /not a valid name of a host list/],
    ["+two words", /not a valid name of a host list/],
  ] as const) {
    test(`says what is wrong with ${JSON.stringify(item)}`, () => {
      assert.match(hostItemProblem(item) ?? "nothing", problem);
    });
  }
});

describe("coversEverybody", () => {
  const named = {
    halves: ["0.0.0.0/1"],
    office: ["192.0.2.0/24", "!192.0.2.1", "192.0.2.0/25"],
    open: ["+nested"],
    nested: ["::/0"],
    round: ["+round", "+about"],
    about: ["+round"],
    spf: ["spf:example.com"],
  };

  for (const items of [
    ["*"],
    ["192.0.2.1", "*"],
    ["0.0.0.0/0"],
    ["1.2.3.4/0"],
    ["::/0"],
    ["2000::/3"],
    ["::ffff:0:0/96"],
    ["0.0.0.0/1", "128.0.0.0/1"],
    ["+halves", "128.0.0.0/1"],
    ["+open"],
    ["!192.0.2.1", "0.0.0.0/0"],
    ["!192.0.2.1"],
    ["192.0.2.0/24", "!+office"],
    ["192.0.2.0/24", "*", "!*"],
  ]) {
    test(`sees that ${items.join(", ")} lets in everybody`, () => {
      assert.equal(coversEverybody(items, named), true);
    });
  }

  for (const items of [
    [],
    ["192.0.2.0/24", "2001:db8::/32"],
    ["0.0.0.0/1"],
    ["0.0.0.0/1", "8000::/1"],
    ["!0.0.0.0/0", "192.0.2.1"],
    ["!+open", "192.0.2.1"],
    ["192.0.2.0/24", "!*"],
    ["192.0.2.0/24", "!*", "*"],
    ["+office"],
    ["+round"],
    ["+spf"],
    ["+unknown"],
  ]) {
    test(`has nothing against ${JSON.stringify(items)}`, () => {
      assert.equal(coversEverybody(items, named), false);
    });
  }
});
