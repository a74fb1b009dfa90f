// For whom an address is counted.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientKeyOf, networkOf } from "../../src/base/network.ts";

describe("two addresses", () => {
  const table: readonly (readonly [
    one: string,
    other: string,
    network: boolean,
    client: boolean,
  ])[] = [
    ["192.0.2.1", "192.0.2.1", true, true],
    ["192.0.2.1", "192.0.2.255", true, false],
    ["192.0.2.1", "192.0.3.1", false, false],
    ["192.0.2.1", "192.0.21.1", false, false],
    ["1.92.0.2", "192.0.2.1", false, false],
    ["2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", true, true],
    ["2001:db8::1", "2001:DB8:0:0::2", true, true],
    ["2001:db8::1", "2001:db8:0:1::1", false, false],
    ["2001:db8::1", "2001:db9::1", false, false],
    ["::1", "::2", true, true],
    ["::1", "0:0:0:1::1", false, false],
    ["2001:db8::1", "32.1.13.184", false, false],
    ["", "192.0.2.1", false, false],
    ["fe80::1%eth0", "fe80::1%eth1", false, false],
    ["local socket", "local socket", true, true],
  ];
  for (const [one, other, network, client] of table) {
    it(`${one} and ${other} are ${network ? "one network" : "two networks"}`, () => {
      assert.equal(networkOf(one) === networkOf(other), network);
      assert.equal(clientKeyOf(one) === clientKeyOf(other), client);
    });
  }
});
