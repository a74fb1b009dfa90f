import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { networkContains, parseAddress, parseNetwork } from "../../src/base/cidr.ts";
import { NetworkTable } from "../../src/base/network-table.ts";
import { seeded } from "../support/random.ts";

function networksOf(texts: readonly string[]) {
  return texts.map((text) => {
    const network = parseNetwork(text);
    assert.ok(network, text);
    return network;
  });
}

function addressOf(text: string) {
  const address = parseAddress(text);
  assert.ok(address, text);
  return address;
}

describe("the first network of a list that contains an address", () => {
  const cases: readonly (readonly [readonly string[], Readonly<Record<string, number>>])[] = [
    [[], { "192.0.2.1": -1, "::1": -1 }],
    [["192.0.2.1"], { "192.0.2.0": -1, "192.0.2.1": 0, "192.0.2.2": -1, "::c000:201": -1 }],
    [
      ["192.0.2.0/24", "192.0.2.128/25", "192.0.2.130"],
      { "192.0.2.130": 0, "192.0.2.255": 0, "192.0.3.0": -1 },
    ],
    [
      ["192.0.2.130", "192.0.2.128/25", "192.0.2.0/24"],
      { "192.0.2.130": 0, "192.0.2.129": 1, "192.0.2.131": 1, "192.0.2.1": 2, "192.0.1.255": -1 },
    ],
    [["10.0.0.0/8", "10.0.0.0/8"], { "10.0.0.0": 0, "10.255.255.255": 0, "11.0.0.0": -1 }],
    [["10.0.0.0/9", "10.0.0.0/8"], { "10.0.0.0": 0, "10.128.0.0": 1 }],
    [["10.0.0.0/25", "10.0.0.128/25"], { "10.0.0.127": 0, "10.0.0.128": 1, "10.0.1.0": -1 }],
    [["0.0.0.0/0"], { "0.0.0.0": 0, "255.255.255.255": 0, "::": -1 }],
    [["255.255.255.255", "::/0"], { "255.255.255.255": 0, "255.255.255.254": -1, "::": 1 }],
    [
      ["2001:db8::/32", "::ffff:192.0.2.0/120", "::/0"],
      { "2001:db8:ffff::1": 0, "192.0.2.9": 1, "::ffff:192.0.2.9": 1, "2001:db9::": 2 },
    ],
    [["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": 0 }],
  ];
  for (const [texts, answers] of cases) {
    test(texts.join(", ") || "of none", () => {
      const table = new NetworkTable(networksOf(texts));
      for (const [address, place] of Object.entries(answers)) {
        assert.equal(table.find(addressOf(address)), place, address);
      }
    });
  }

  test("is what a scan over all of them finds, of any networks", () => {
    const chance = seeded(20_260_101);
    const below = (limit: number) => chance.below(limit);
    for (let round = 0; round < 200; round++) {
      const family = below(2);
      const addressText = () =>
        family === 0
          ? `10.0.${below(4)}.${below(256)}`
          : `2001:db8::${below(4)}:${below(0x10000).toString(16)}`;
      const texts = Array.from({ length: below(40) }, () =>
        below(3) === 0
          ? addressText()
          : `${addressText()}/${family === 0 ? 20 + below(13) : 100 + below(29)}`,
      );
      const networks = networksOf(texts);
      const table = new NetworkTable(networks);
      for (let tried = 0; tried < 50; tried++) {
        const address = addressOf(addressText());
        const scanned = networks.findIndex((network) => networkContains(network, address));
        assert.equal(table.find(address), scanned, `${texts.join(" ")} ${address.value}`);
      }
    }
  });
});
