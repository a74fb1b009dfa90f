// Addresses and networks against a reference of their own: BigInt arithmetic on groups that the test made up, so
// no parser is compared with itself.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { networkContains, coversFamily, parseAddress, parseNetwork } from "../../src/base/cidr.ts";

function inside(network: string, address: string): boolean {
  const parsed = parseNetwork(network);
  const subject = parseAddress(address);
  assert.ok(parsed !== undefined, network);
  assert.ok(subject !== undefined, address);
  return networkContains(parsed, subject);
}

function covers(...texts: string[]): boolean {
  return coversFamily(texts.flatMap((text) => parseNetwork(text) ?? []));
}

/** mulberry32: the same numbers from the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

interface Family {
  readonly bits: number;
  spell(value: bigint, random: (below: number) => number): string;
}

const FAMILIES: readonly Family[] = [
  {
    bits: 32,
    spell: (value) =>
      [24n, 16n, 8n, 0n].map((shift) => BigInt.asUintN(8, value >> shift).toString()).join("."),
  },
  {
    bits: 128,
    spell(value, random) {
      const groups = Array.from({ length: 8 }, (_, i) =>
        BigInt.asUintN(16, value >> BigInt(16 * (7 - i))).toString(16),
      );
      if (random(2) === 0)
        return groups
          .map((group) => group.padStart(4, "0"))
          .join(":")
          .toUpperCase();
      return groups.join(":").replace(/(?:^|:)0(?::0)+(?::|$)/, "::");
    },
  },
];

describe("parseAddress", () => {
  test("one IPv4 address has one form, however it is mapped", () => {
    const plain = parseAddress("10.2.3.4");
    assert.deepEqual(plain, { family: 4, value: 0x0a020304 });
    for (const spelling of [
      "::ffff:10.2.3.4",
      "::FFFF:10.2.3.4",
      "::ffff:a02:304",
      "::ffff:0a02:0304",
      "0:0:0:0:0:ffff:10.2.3.4",
      "0:0:0:0:0:ffff:a02:304",
      "0000:0000:0000:0000:0000:ffff:0a02:0304",
    ]) {
      assert.deepEqual(parseAddress(spelling), plain, spelling);
    }
  });

  for (const text of [
    "",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0",
    "10.1",
    "167772161",
    "0x0a000001",
    "010.0.0.1",
    "10.0.0.01",
    "10.0.0.256",
    "10.0.0.1.",
    "10.0.0.1/32",
    "64:ff9b::8.8.8.8",
    "2001:db8::8.8.8.8",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "fe80::1%eth0",
    "::1%0",
    "10.0.0.1%lo",
    "1::2::3",
    "12345::",
    "[::1]",
    "localhost",
  ]) {
    test(`${JSON.stringify(text)} is no address`, () => {
      assert.equal(parseAddress(text), undefined);
    });
  }
});

describe("parseNetwork", () => {
  for (const text of [
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/8.0",
    "10.0.0.0/ 8",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "10.0.0/8",
    "2001:db8::/129",
    "2001:db8::/",
    "2001:db8::8.8.8.8/32",
    "fe80::%eth0/10",
    "::ffff:10.0.0.0/95",
    "/8",
    "*",
  ]) {
    test(`${JSON.stringify(text)} is no network`, () => {
      assert.equal(parseNetwork(text), undefined);
    });
  }

  test("a mapped network is the IPv4 network", () => {
    assert.deepEqual(parseNetwork("::ffff:10.0.0.0/104"), parseNetwork("10.0.0.0/8"));
    assert.deepEqual(parseNetwork("::ffff:a00:0/104"), parseNetwork("10.0.0.0/8"));
    assert.deepEqual(parseNetwork("::ffff:0:0/96"), parseNetwork("0.0.0.0/0"));
  });

  test("bits of the address below the prefix do not matter", () => {
    assert.deepEqual(parseNetwork("10.1.2.3/8"), parseNetwork("10.0.0.0/8"));
    assert.deepEqual(parseNetwork("2001:db8::1/32"), parseNetwork("2001:db8::/32"));
  });
});

describe("contains", () => {
  const borders: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.1.255", "192.0.3.0"]],
    ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.0"]],
    ["192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
    ["192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
    ["192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]],
    ["128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255", "0.0.0.0"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], []],
    [
      "2001:db8::/32",
      ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
      ["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"],
    ],
    ["2001:db8::1", ["2001:db8::1", "2001:DB8:0:0::1"], ["2001:db8::", "2001:db8::2"]],
    ["::/0", ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], []],
  ];
  for (const [network, members, strangers] of borders) {
    test(`${network} ends where it ends`, () => {
      for (const address of members) assert.equal(inside(network, address), true, address);
      for (const address of strangers) assert.equal(inside(network, address), false, address);
    });
  }

  test("the families never mix, whatever their bits say", () => {
    assert.equal(inside("38.1.2.0/24", "2601:200::1"), false);
    assert.equal(inside("38.0.0.0/8", "2600:1f18::5"), false);
    assert.equal(inside("0.0.0.0/0", "2001:db8::1"), false);
    assert.equal(inside("0.0.0.0/0", "::"), false);
    assert.equal(inside("2001:db8::/32", "32.1.13.184"), false);
    assert.equal(inside("::/0", "192.0.2.1"), false);
    assert.equal(inside("::/0", "::ffff:192.0.2.1"), false);
    assert.equal(inside("10.0.0.0/8", "::a00:1"), false);
  });

  for (const [index, family] of FAMILIES.entries()) {
    test(`agrees with arithmetic on random networks of ${family.bits} bits`, () => {
      const seed = Number(process.env["SEED"] ?? 20_261_122 + index);
      const random = generator(seed);
      const bits = BigInt(family.bits);
      const number = () => {
        let value = 0n;
        for (let i = 0; i < family.bits; i += 16)
          value = (value << 16n) | BigInt(random(4) === 0 ? 0 : random(65_536));
        return value;
      };
      for (let round = 0; round < 4000; round++) {
        const base = number();
        const prefix = random(family.bits + 1);
        const free = bits - BigInt(prefix);
        const first = (base >> free) << free;
        const last = first + (1n << free) - 1n;
        const network = `${family.spell(base, random)}/${prefix}`;
        for (const value of [first, last, first - 1n, last + 1n, base, number()]) {
          if (value < 0n || value >> bits !== 0n) continue;
          if (family.bits === 128 && value >> 32n === 0xffffn) continue;
          if (family.bits === 128 && base >> 32n === 0xffffn) continue;
          const address = family.spell(value, random);
          const expected = value >= first && value <= last;
          assert.equal(
            inside(network, address),
            expected,
            `${address} in ${network}, seed ${seed}`,
          );
        }
      }
    });
  }
});

describe("coversFamily", () => {
  test("finds the whole of a family, in one piece or in many", () => {
    assert.equal(covers("0.0.0.0/0"), true);
    assert.equal(covers("::/0"), true);
    assert.equal(covers("192.0.2.1", "::/0"), true);
    assert.equal(covers("128.0.0.0/1", "0.0.0.0/1"), true);
    assert.equal(covers("::/1", "8000::/1"), true);
    assert.equal(covers("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"), true);
  });

  test("what nobody can have need not be covered", () => {
    assert.equal(covers("2000::/3"), true);
    assert.equal(
      covers(
        "1.0.0.0/8",
        "2.0.0.0/7",
        "4.0.0.0/6",
        "8.0.0.0/5",
        "16.0.0.0/4",
        "32.0.0.0/3",
        "64.0.0.0/2",
        "128.0.0.0/2",
        "192.0.0.0/3",
      ),
      true,
    );
  });

  test("leaves alone what is only large", () => {
    assert.equal(covers(), false);
    assert.equal(covers("0.0.0.0/1"), false);
    assert.equal(covers("128.0.0.0/1", "0.0.0.0/2"), false);
    assert.equal(covers("0.0.0.0/1", "8000::/1"), false);
    assert.equal(covers("2001::/16", "2a00::/8"), false);
    assert.equal(covers("10.0.0.0/8", "127.0.0.0/8"), false);
  });
});
