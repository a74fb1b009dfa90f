import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { decodeLine, heloName, parseMail, parseRcpt } from "../../../src/smtp/server/command.ts";

const mail = (argument: string) => parseMail(argument);
const rcpt = (argument: string, smtputf8 = false) => parseRcpt(argument, smtputf8, "example.com");

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
    assert.equal(heloName(name), name);
  }
});

test("HELO without the zone id, which no other machine knows", () => {
  for (const [written, name] of [
    ["[IPv6:fe80::1%eth0]", "[IPv6:fe80::1]"],
    ["[fe80::1%25en-0]", "[fe80::1]"],
    ["fe80::A%2", "fe80::A"],
  ] as const) {
    assert.equal(heloName(written), name);
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
    "[192.0.2.1%eth0]",
    "[IPv6:fe80::1%]",
    "[IPv6:fe80::1%a b]",
    "mx.example.com%eth0",
    "192.0.2.1]",
    "x".repeat(256),
  ]) {
    assert.equal(heloName(name), undefined);
  }
});

describe("a path", () => {
  for (const argument of [
    "FROM:<a@b.test> SIZE=7",
    "FROM:a@b.test SIZE=7",
    "from:<a@b.test> size=7",
    "FROM: <a@b.test> SIZE=7",
    "FROM :\t<a@b.test>\tSIZE=7 ",
    " FROM : a@b.test  SIZE=7\t",
    "FROM:< a@b.test >   SIZE=7",
  ]) {
    it(`has one reading in ${JSON.stringify(argument)}`, () => {
      assert.deepEqual(mail(argument), {
        ok: {
          sender: { address: "a@b.test", localPart: "a", domain: "b.test" },
          eightBit: false,
          smtputf8: false,
          declaredSize: 7,
        },
      });
    });
  }

  it("needs no brackets for a recipient, the bare postmaster, or a quoted local part", () => {
    for (const [argument, address] of [
      ["TO:a@b.test NOTIFY=NEVER", "a@b.test"],
      ["TO:postmaster", "postmaster@example.com"],
      ['TO:"a <b>"@c.test', '"a <b>"@c.test'],
    ] as const) {
      const parsed = rcpt(argument);
      assert.ok("ok" in parsed, argument);
      assert.equal(parsed.ok.mailbox.address, address);
    }
  });

  for (const argument of [
    "FROM:",
    "FROM: ",
    "FROM:SIZE=7",
    "FROM:<a@b.test",
    "FROM:a@b.test>",
    "FROM:<a@b.test>SIZE=7",
    "FROM:a@b.test <c@d.test>",
    "FROM:a b@c.test",
    "FROM:Alice <a@b.test>",
    "FROM:<<a@b.test>>",
    "FROM:<a@b.test>\u00a0",
    "FROM<a@b.test>",
    "FROMX:<a@b.test>",
    "TO:<a@b.test>",
    'FROM:"a"b@c.test',
  ]) {
    it(`is refused in ${JSON.stringify(argument)}`, () => {
      const parsed = mail(argument);
      assert.ok("refused" in parsed);
      assert.equal(parsed.refused.code, 501);
    });
  }

  it("takes no longer to refuse than its length", () => {
    for (const part of [" ", "\t", '""', '"', "\\", "<", "a "]) {
      const line = part.repeat(20_000);
      for (const argument of [`FROM:<${line}`, `FROM:${line}x<`, `FROM:<a@b.test>${line}<`, line]) {
        const begun = process.cpuUsage();
        assert.ok("refused" in mail(argument));
        // The square of the length is seconds; a line of a client has 2048 octets, not 40 000.
        assert.ok(process.cpuUsage(begun).user < 500_000, JSON.stringify(part));
      }
    }
  });
});

describe("an original recipient and an envelope id", () => {
  it("are understood with small hex digits, and go on with capital ones", () => {
    const sent = mail("FROM:<> ENVID=a+3db+2B");
    assert.ok("ok" in sent);
    assert.equal(sent.ok.envid, "a+3Db+2B");
    assert.equal(sent.dropped, undefined);
    const taken = rcpt("TO:<a@b.test> ORCPT=rfc822;a+3dx+2bY@b.test");
    assert.ok("ok" in taken);
    assert.equal(taken.ok.orcpt, "rfc822;a+3Dx+2BY@b.test");
    assert.equal(taken.dropped, undefined);
  });

  for (const value of [
    "rfc822;alice+lists@b.test",
    "rfc822;a+zz@b.test",
    "rfc822;a+3",
    "rfc822;a+",
    "rfc822;a=b@c.test",
    "rfc822;zo\u00eb@b.test",
    "utf-8;zo\u00eb@b.test",
    "rfc822;",
    `rfc822;${"a".repeat(500)}`,
  ]) {
    it(`do not stop the mail as ORCPT=${value.slice(0, 40)}`, () => {
      assert.deepEqual(rcpt(`TO:<a@b.test> ORCPT=${value}`), {
        ok: { mailbox: { address: "a@b.test", localPart: "a", domain: "b.test" } },
        dropped: [`ORCPT=${value}`],
      });
    });
  }

  for (const value of ["x+", "x+g0", "a=b", "zo\u00eb", "", "a".repeat(101)]) {
    it(`do not stop the mail as ENVID=${value.slice(0, 40)}`, () => {
      const parsed = mail(`FROM:<> ENVID=${value}`);
      assert.ok("ok" in parsed);
      assert.equal(parsed.ok.envid, undefined);
      assert.deepEqual(parsed.dropped, [`ENVID=${value}`]);
    });
  }

  it("need an address type, and stand once", () => {
    for (const parameters of [
      "ORCPT=rfc822",
      "ORCPT=",
      "ORCPT",
      "ORCPT=;a@b.test",
      "ORCPT=rfc822;a ORCPT=rfc822;a",
    ]) {
      assert.ok("refused" in rcpt(`TO:<a@b.test> ${parameters}`), parameters);
    }
  });
});

test("other parameters", () => {
  for (const [parameter, code] of [
    ["AUTH=<>", 0],
    ["auth=a+3db@c.test", 0],
    ["AUTH", 501],
    ["BODY=8bitmime", 0],
    ["body=7bit", 0],
    ["BODY=BINARYMIME", 501],
    ["SIZE=0", 0],
    ["SIZE=00000000000000000001", 0],
    ["SIZE=000000000000000000001", 501],
    ["SIZE=-1", 501],
    ["SIZE=1e3", 501],
    ["SIZE=0x10", 501],
    ["SIZE=", 501],
    ["SIZE", 501],
    ["smtputf8", 0],
    ["SMTPUTF8=1", 501],
    ["RET=full", 0],
    ["RET=ALL", 501],
    ["X-FOO", 555],
    ["FOO=BAR", 555],
    ["=BAR", 501],
    ["F\u00d6=1", 501],
  ] as const) {
    const parsed = mail(`FROM:<a@b.test> ${parameter}`);
    assert.equal("refused" in parsed ? parsed.refused.code : 0, code, parameter);
  }
});

test("a line has tabs, and no other control characters", () => {
  assert.equal(decodeLine(Buffer.from("MAIL\tFROM:<>\r\n")), "MAIL\tFROM:<>");
  for (const octet of [0, 7, 10, 11, 13, 27, 127]) {
    assert.equal(decodeLine(Buffer.from([65, octet, 65, 13, 10])), undefined);
  }
});
