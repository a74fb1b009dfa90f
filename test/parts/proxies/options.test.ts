import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load, problemsOf, RIGHT, write } from "../../config/configuration.ts";
import { warningsOf } from "../../../src/parts/proxies/warnings.ts";
import { OTHER, OURS } from "../../support/certificates.ts";

const proxy = (lines: string) => `${RIGHT}
[[proxies]]
name = "front"
protocol = "imap"
address = "127.0.0.1:1143"
${lines}
`;

/** The problems of the table, without their place in the file. */
async function problems(lines: string): Promise<string[]> {
  return (await problemsOf(proxy(lines))).map((line) => line.replace(/^.*?:\d+: /, ""));
}

describe("[[proxies]]", () => {
  test("needs a server, or a hook that names one", async () => {
    for (const line of [
      'server = "mail.example.net:143"',
      'server = ["mail.example.net", "[::1]:1430"]',
      'auth_http = "http://127.0.0.1:80/auth"',
    ]) {
      await load(write("right.toml", proxy(line)));
    }
    assert.match((await problems("")).join("\n"), /^proxies\[0\]\.server: is missing/);
  });

  test("needs a certificate that fits unless tls is none", async () => {
    const server = 'server = "mail.example.net"\n';
    assert.deepEqual(await problems(`${server}tls = "implicit"`), [
      'proxies[0].certificate: is missing (path): tls is "implicit"',
      'proxies[0].private_key: is missing (path): tls is "implicit"',
    ]);
    const files = `certificate = "${OURS.certificate}"\nprivate_key = "${OTHER.privateKey}"`;
    const found = await problems(`${server}tls = "starttls"\n${files}`);
    assert.match(found.join("\n"), /^proxies\[0\]\.certificate: does not work with/);
  });

  test("refuses values that mean nothing", async () => {
    const server = 'server = "mail.example.net"\n';
    for (const line of [
      'auth_http = "ftp://x/"',
      'auth_http = "/auth"',
      'account = "{name}"',
      'default_domain = "not a domain"',
      'capabilities = ["A\\nB"]',
      "connections_max = 0",
      'server_tls = "maybe"',
    ]) {
      assert.equal((await problems(server + line)).length, 1, line);
    }
  });

  test("a transport must be a maildir-append, and the protocol POP3", async () => {
    const server = 'server = "mail.example.net"\n';
    const copies = '[transports.copies]\ndriver = "maildir-append"\ndirectory = "/m/{account}"';
    assert.deepEqual(await problems(`${server}transport = "gmail"\n${copies}`), [
      'proxies[0].transport: copies are kept for protocol = "pop3" only, not for "imap"',
      'proxies[0].transport: "gmail" must have driver = "maildir-append"',
    ]);
    const right = proxy(`${server}transport = "copies"\n${copies}`).replace('"imap"', '"pop3"');
    await load(write("copies.toml", right));
  });

  test("check warns of logins in clear text off loopback", async () => {
    for (const [address, warned] of [
      ["127.0.0.1:1143", 0],
      ["[::1]:1143", 0],
      ["0.0.0.0:1143", 1],
      ["[::]:1143", 1],
    ] as const) {
      const text = proxy('server = "mail.example.net"').replace("127.0.0.1:1143", address);
      const configuration = await load(write("warned.toml", text));
      assert.equal(warningsOf(configuration).length, warned, address);
    }
  });
});
