// A next hop as the dry run writes it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostText } from "../../src/check/hosts.ts";
import type { Host } from "../../src/mail/host.ts";

describe("hostText", () => {
  const table: readonly (readonly [host: Host, text: string])[] = [
    [{ name: "mx.example.org" }, "mx.example.org"],
    [{ name: "mx.example.org", port: 25 }, "mx.example.org:25"],
    [{ name: "mx.example.org", addresses: [] }, "mx.example.org"],
    [{ name: "mx.example.org", addresses: ["192.0.2.1"] }, "mx.example.org [192.0.2.1]"],
    [
      { name: "mx.example.org", port: 587, addresses: ["192.0.2.1", "2001:db8::1"] },
      "mx.example.org:587 [192.0.2.1, 2001:db8::1]",
    ],
    [{ name: "192.0.2.1", addresses: ["192.0.2.1"] }, "192.0.2.1"],
    [{ name: "192.0.2.1", port: 25, addresses: ["192.0.2.1"] }, "192.0.2.1:25"],
    [{ name: "192.0.2.1", addresses: ["192.0.2.1", "192.0.2.2"] }, "192.0.2.1 [192.0.2.2]"],
    [{ name: "2001:db8::1" }, "2001:db8::1"],
    [{ name: "2001:db8::1", port: 25 }, "[2001:db8::1]:25"],
  ];
  for (const [host, text] of table) {
    it(`is ${text}`, () => assert.equal(hostText(host), text));
  }
});
