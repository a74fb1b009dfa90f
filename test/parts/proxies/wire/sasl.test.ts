import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decoded,
  plainCredentials,
  plainMessage,
  userOf,
} from "../../../../src/parts/proxies/wire/sasl.ts";

const octets = (text: string) => Buffer.from(text);

describe("a SASL exchange", () => {
  test("names its user", () => {
    const cases: readonly (readonly [string, string, string | undefined])[] = [
      ["PLAIN", "\0alice\0secret", "alice"],
      ["PLAIN", "bob\0alice\0secret", "bob"],
      ["PLAIN", "alice\0alice\0secret", "alice"],
      ["PLAIN", "alice", undefined],
      ["LOGIN", "alice", "alice"],
      ["XOAUTH2", "user=alice@x\u0001auth=Bearer t\u0001\u0001", "alice@x"],
      ["OAUTHBEARER", "n,a=al=2Cice=3D,\u0001auth=Bearer t\u0001\u0001", "al,ice="],
      ["OAUTHBEARER", "n,,\u0001auth=Bearer t\u0001\u0001", undefined],
      ["CRAM-MD5", "alice 0123", undefined],
    ];
    for (const [mechanism, message, user] of cases) {
      assert.equal(userOf(mechanism, [octets(message)]), user, `${mechanism} ${message}`);
    }
    assert.equal(userOf("PLAIN", []), undefined);
  });

  test("PLAIN has three parts, and a user", () => {
    assert.deepEqual(plainCredentials(octets("\0a\0b")), { user: "a", password: "b" });
    assert.deepEqual(plainCredentials(octets("c\0a\0b")), {
      user: "a",
      password: "b",
      authorization: "c",
    });
    for (const message of ["", "\0", "a\0b", "\0\0b", "\0a\0b\0c"]) {
      assert.equal(plainCredentials(octets(message)), undefined, JSON.stringify(message));
    }
    const credentials = { user: "\u00e4", password: "\u00df", authorization: "x" };
    assert.deepEqual(
      plainCredentials(Buffer.from(plainMessage(credentials), "base64")),
      credentials,
    );
  });

  test("only base64 is read", () => {
    assert.equal(decoded("YQ==\r\n")?.toString(), "a");
    assert.equal(decoded("=")?.length, 0);
    assert.equal(decoded("*"), undefined);
    assert.equal(decoded("a b"), undefined);
  });
});
