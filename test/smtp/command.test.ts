import assert from "node:assert/strict";
import { test } from "node:test";
import { isHeloName } from "../../src/smtp/command.ts";

test("HELO takes names, also sloppy ones, and addresses", () => {
  for (const name of [
    "mx.example.com",
    "mx.example.com.",
    "localhost",
    "WIN-PC_1",
    "xn--mnchen-3ya.de",
    "192.0.2.1",
    "2001:db8::1",
    "[192.0.2.1]",
    "[IPv6:2001:db8::1]",
    "[ipv6:::1]",
    "[::1]",
    "x".repeat(255),
  ]) {
    assert.ok(isHeloName(name), name);
  }
});

test("HELO takes nothing else", () => {
  for (const name of [
    "",
    ".",
    "...",
    "-",
    ":::",
    "a..b",
    ".example.com",
    "a b",
    "a@b.example",
    "a:b",
    "(a)",
    "m\u00fcnchen.de",
    "[]",
    "[foo]",
    "[IPv6:foo]",
    "[192.0.2.256]",
    "[192.0.2.1",
    "192.0.2.1]",
    "x".repeat(256),
  ]) {
    assert.ok(!isHeloName(name), name);
  }
});
