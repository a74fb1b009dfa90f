// What ip-cidr does wrong today, and why src/base/cidr.ts asks it for the ends of a range and for nothing else.
// A test that fails after an upgrade is good news: the trap is gone or has moved, so look again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import IPCIDR from "ip-cidr";

const contains = (cidr: string, address: string) => new IPCIDR(cidr).contains(address);
const range = (cidr: string) => new IPCIDR(cidr).toRange<bigint>({ type: "bigInteger" });

describe("ip-cidr 4.0.2", () => {
  test("compares IPv6 with IPv4 bit by bit", () => {
    assert.equal(contains("38.1.2.0/24", "2601:200::1"), true);
    assert.equal(contains("38.0.0.0/8", "2600:1f18::5"), true);
    assert.equal(contains("0.0.0.0/0", "2001:db8::1"), true);
    assert.equal(contains("2001:db8::/32", "32.1.13.184"), true);
  });

  test("takes any IPv6 that ends in a dotted quad for IPv4", () => {
    assert.equal(contains("8.8.8.0/24", "64:ff9b::8.8.8.8"), true);
    assert.equal(contains("8.8.8.0/24", "2001:db8::8.8.8.8"), true);
  });

  test("knows a mapped address in one spelling only", () => {
    assert.equal(contains("10.0.0.0/8", "::ffff:10.2.3.4"), true);
    assert.equal(contains("10.0.0.0/8", "::ffff:a02:304"), false);
    assert.equal(contains("::ffff:10.0.0.0/104", "10.1.2.3"), false);
  });

  test("answers false for what is no address at all", () => {
    assert.equal(contains("10.0.0.0/8", "10.0.0.1%lo"), false);
    assert.equal(contains("10.0.0.0/8", "rubbish"), false);
  });

  test("works out the ends of a range rightly, which is all that we use", () => {
    assert.deepEqual(range("10.1.2.3/8"), [0x0a000000n, 0x0affffffn]);
    assert.deepEqual(range("0.0.0.0/0"), [0n, 0xffffffffn]);
    assert.deepEqual(range("192.0.2.7/32"), [0xc0000207n, 0xc0000207n]);
    assert.deepEqual(range("0:0:0:0:0:0:0:0/0"), [0n, (1n << 128n) - 1n]);
    assert.deepEqual(range("2001:db8:0:0:0:0:0:1/127"), [
      0x20010db8n << 96n,
      (0x20010db8n << 96n) + 1n,
    ]);
  });
});
