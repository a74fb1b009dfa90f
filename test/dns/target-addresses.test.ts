import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isNeverTarget, NEVER_A_TARGET, targetForms } from "../../src/dns/target-addresses.ts";
import { bench } from "../lists/support.ts";

/** Neither mail nor a request goes there. */
const NEVER = [
  // this machine and its networks
  ..."0.0.0.0 0.1.2.3 127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254".split(
    " ",
  ),
  // shared, protocol assignments, benchmarks, multicast, reserved, broadcast
  ..."100.64.0.1 100.127.255.255 192.0.0.1 192.0.0.8 192.0.0.255 192.88.99.1 198.18.0.1 198.19.255.255".split(
    " ",
  ),
  ..."224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255".split(" "),
  // IPv6 of the same kinds
  ...":: ::1 fe80::1 fe80::1%eth0 fec0::1 feff::1 fc00::1 fd12:3456::1 ff02::1 100::1 5f00::1 2001:2::1".split(
    " ",
  ),
  // IPv4 in IPv6: mapped in each spelling, compatible, translated, local NAT64, Teredo
  ..."::ffff:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:a00:1 ::127.0.0.1 ::a00:1 ::808:808 ::ffff:0:a00:1".split(
    " ",
  ),
  ..."64:ff9b:1::a00:1 64:ff9b:1::808:808 64:ff9b::1:0:0:1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2".split(
    " ",
  ),
  // NAT64 and 6to4 of such an IPv4 address
  ..."64:ff9b::a00:1 64:ff9b::7f00:1 0064:FF9B:0000::c0a8:0001 64:ff9b::6440:1 64:ff9b::10.0.0.1".split(
    " ",
  ),
  ..."2002:a00:1::1 2002:7f00:1:: 2002:c0a8:101::1 2002:6440:1::1 2002:e000:1::1 2002:ffff:ffff::1 2002::1".split(
    " ",
  ),
  // no address
  ..."localhost 010.0.0.1 10.1 0x7f000001 2130706433 [::1] 10.0.0.1:25 10.0.0.0/8".split(" "),
  "",
  " 8.8.8.8",
];

const ALLOWED = [
  ..."8.8.8.8 100.63.255.255 100.128.0.1 192.0.1.1 198.17.0.1 198.20.0.1 172.32.0.1 223.255.255.255 ::ffff:8.8.8.8".split(
    " ",
  ),
  ..."2a00:1450:4001:80e::2004 2606:4700::1 2001:4860:4860::8888 2001:200::1 3ffe::1".split(" "),
  ..."64:ff9b::808:808 2002:808:808::1".split(" "),
  // documentation
  ..."192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1 64:ff9b::c000:201 2002:c000:201::1".split(
    " ",
  ),
];

describe("an address that a stranger's DNS leads to", () => {
  for (const address of NEVER) {
    test(`${JSON.stringify(address)} is never a target`, () => {
      assert.equal(isNeverTarget(address), true);
    });
  }
  for (const address of ALLOWED) {
    test(`${address} may be one`, () => assert.equal(isNeverTarget(address), false));
  }

  test("a host list of the same items, asked of each form, says the same", () => {
    using b = bench();
    const list = b.lists.hosts(NEVER_A_TARGET);
    for (const address of [...NEVER, ...ALLOWED]) {
      const isIn = targetForms(address)?.some((form) => list.match(form).kind === "in") ?? true;
      assert.equal(isIn, isNeverTarget(address), address);
    }
  });

  test("NAT64 and 6to4 have the IPv4 address as another form, and no other address has", () => {
    assert.deepEqual(targetForms("64:ff9b::c000:201"), ["64:ff9b::c000:201", "192.0.2.1"]);
    assert.deepEqual(targetForms("2002:ffff:fffe::1"), ["2002:ffff:fffe::1", "255.255.255.254"]);
    assert.deepEqual(targetForms("2001:db8::1"), ["2001:db8::1"]);
    assert.deepEqual(targetForms("192.0.2.1"), ["192.0.2.1"]);
    assert.equal(targetForms("fe80::1%eth0"), undefined);
  });
});
