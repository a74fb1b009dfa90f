import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Credentials } from "../../../src/smtp/client/auth.ts";
import type { ConnectOptions } from "../../../src/smtp/client/client.ts";
import { statusLine } from "../../../src/mail/status.ts";
import { testCertificate } from "../../support/certificates.ts";
import { greet, scriptedServer, startSink } from "../../support/sink.ts";
import { dial, open, refused } from "./conversation.ts";

const SECRET = "pässword-17";
const base64 = (text: string) => Buffer.from(text).toString("base64");

function as(given: Partial<Credentials> = {}): Pick<ConnectOptions, "credentials"> {
  return {
    credentials: { user: "relay", tls: "none", password: () => Promise.resolve(SECRET), ...given },
  };
}

/** A server that offers `mechanisms` in the clear and answers each line of AUTH with the next of `answers`. */
function asking(mechanisms: string, answers: readonly string[], seen: string[] = []) {
  return scriptedServer(async (conn) => {
    await greet(conn, ["PIPELINING", mechanisms]);
    for (const answer of answers) {
      seen.push(await conn.readLine());
      conn.send(answer);
    }
    await conn.closed();
  });
}

describe("AUTH", () => {
  const dialogues: Readonly<
    Record<string, readonly [offer: string, replies: string[], said: string[]]>
  > = {
    "PLAIN, in one line": [
      "AUTH LOGIN PLAIN CRAM-MD5",
      ["235 2.7.0 welcome"],
      [`AUTH PLAIN ${base64(`\0relay\0${SECRET}`)}`],
    ],
    "LOGIN where PLAIN is not offered": [
      "auth login",
      ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"],
      ["AUTH LOGIN", base64("relay"), base64(SECRET)],
    ],
  };
  for (const [what, [offer, replies, said]] of Object.entries(dialogues)) {
    test(`is ${what}`, async () => {
      const seen: string[] = [];
      await using peer = await asking(offer, replies, seen);
      await (await open(peer.port, as())).close();
      assert.deepEqual(seen, said);
    });
  }

  const refusals: Readonly<
    Record<string, readonly [offer: string, replies: string[], why: string]>
  > = {
    "535 is temporary for the mail": [
      "AUTH PLAIN",
      ["535 5.7.8 Username and Password not accepted"],
      "451 4.7.8 AUTH was refused: 535 5.7.8 Username and Password not accepted",
    ],
    "535 to LOGIN's first answer": [
      "AUTH LOGIN",
      ["334 x", "535 5.7.8 no such user"],
      "451 4.7.8 AUTH was refused: 535 5.7.8 no such user",
    ],
    "no mechanism that we know": [
      "AUTH GSSAPI SCRAM-SHA-256",
      [],
      "451 4.7.8 The host offers neither AUTH PLAIN nor AUTH LOGIN",
    ],
    "no AUTH at all": [
      "8BITMIME",
      [],
      "451 4.7.8 The host offers neither AUTH PLAIN nor AUTH LOGIN",
    ],
    "more questions than LOGIN has": [
      "AUTH LOGIN",
      ["334 a", "334 b", "334 c"],
      "451 4.5.0 protocol error: unexpected reply to AUTH",
    ],
    "a welcome before the password": [
      "AUTH LOGIN",
      ["235 ok"],
      "451 4.5.0 protocol error: unexpected reply to AUTH",
    ],
  };
  for (const [what, [offer, replies, why]] of Object.entries(refusals)) {
    test(`${what}: the host is left`, async () => {
      await using peer = await asking(offer, replies);
      assert.equal(await refused(peer.port, as()), why);
    });
  }

  test("a host's trouble is told from a wrong password", async () => {
    for (const [answer, error] of [
      ["454 4.7.0 later", undefined],
      ["535 5.7.8 no", "auth_failed"],
    ] as const) {
      await using peer = await asking("AUTH PLAIN", [answer]);
      const connected = await dial(peer.port, as());
      assert.ok(connected.kind === "failed");
      assert.equal(connected.error, error);
    }
  });

  test("nothing of the password is in what a server repeats of it", async () => {
    const token = base64(`\0relay\0${SECRET}`);
    for (const answer of [
      `500 5.5.1 unknown command "AUTH PLAIN ${token}"`,
      `535 5.7.8 bad token ${token.slice(0, 12)}...`,
      `454 4.7.0 cannot check ${SECRET}`,
      `421 4.7.0 too many tries with ${token}`,
      `535 5.7.8 no\r\n421 4.7.0 bye, ${token}`,
    ]) {
      await using peer = await asking("AUTH PLAIN", [answer]);
      const connected = await dial(peer.port, as());
      assert.ok(connected.kind === "failed");
      const told = statusLine(connected.status);
      assert.match(told, /^4\d\d 4\.7\.\d /);
      for (const piece of [SECRET, token.slice(0, 12)]) assert.ok(!told.includes(piece), told);
    }
  });

  test("a password that cannot be read is our trouble, with its cause", async () => {
    await using peer = await asking("AUTH PLAIN", []);
    const cause = new Error("permission denied");
    const connected = await dial(peer.port, as({ password: () => Promise.reject(cause) }));
    assert.ok(connected.kind === "failed");
    assert.equal(statusLine(connected.status), "451 4.7.8 No password to show to the host");
    assert.equal(connected.error, "auth_failed");
    assert.equal(connected.cause, cause);
  });

  test("the password is not told under less TLS than was asked for", async () => {
    const why = "451 4.7.8 The connection is not safe enough for a password";
    await using clear = await asking("AUTH PLAIN", []);
    await using secured = await startSink({ tls: true, server: { onAuth: () => assert.fail() } });
    assert.equal(await refused(clear.port, as({ tls: "required" })), why);
    assert.equal(await refused(secured.port, { ...as({ tls: "verify" }), tls: "required" }), why);
  });

  test("what was offered in the clear is forgotten under TLS", async () => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["STARTTLS", "AUTH PLAIN"]);
      await conn.readLine();
      conn.send("220 go");
      await conn.startTls();
      await conn.readLine();
      conn.send("250 mx.test");
      await conn.closed();
    });
    const how = { ...as(), tls: "required", name: "mx.example.com" } as const;
    assert.match(await refused(peer.port, how), /offers neither AUTH PLAIN nor AUTH LOGIN$/);
  });
});

describe("smtps", () => {
  test("speaks TLS from the first byte, and does not ask for STARTTLS", async () => {
    await using sink = await startSink({ tls: true, server: { secure: true } });
    const trusted = testCertificate().cert.toString();
    const conversation = await open(sink.port, { protocol: "smtps", tls: "verify", trusted });
    assert.equal(conversation.secured, true);
    await conversation.close();
  });

  test("a certificate that is not trusted is a failure of TLS", async () => {
    await using sink = await startSink({ tls: true, server: { secure: true } });
    const why = await refused(sink.port, { protocol: "smtps", tls: "verify" });
    assert.match(why, /^451 4\.7\.5 TLS handshake failed: self-signed certificate/);
  });

  test("a host that greets in the clear is not listened to", async () => {
    await using peer = await scriptedServer(async (conn) => {
      conn.send("220 mx.test ESMTP");
      await conn.closed();
    });
    const why = await refused(peer.port, { protocol: "smtps", tls: "required" });
    assert.match(why, /^451 4\.(?:7\.5 TLS handshake failed|5\.0 clear text)/);
  });
});
