// What nodemailer's composer and signer do by themselves, and src/outbox/ therefore keeps them from doing. A test that
// fails after an upgrade says that a detour there may no longer be needed.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import DKIM from "nodemailer/lib/dkim";
import MimeNode from "nodemailer/lib/mime-node";

async function built(node: MimeNode): Promise<string> {
  return (await node.build()).toString();
}

describe("nodemailer's composer", () => {
  test("writes field names in its own way", async () => {
    const node = new MimeNode("text/plain").setHeader("TLS-Report-Domain", "x");
    assert.match(await built(node), /^Tls-Report-Domain: x\r$/m);
  });

  test("encodes the octets of any text/* part anew, whatever its encoding is said to be", async () => {
    const node = new MimeNode("text/rfc822-headers");
    node.setHeader("Content-Transfer-Encoding", "8bit").setContent(Buffer.from("Subject: å\r\n"));
    assert.match(await built(node), /quoted-printable\r\n[^]*Subject: =C3=A5\r\n$/);
  });

  test("makes an encoded word of an address beyond ASCII in a field that it does not know", async () => {
    const node = new MimeNode("text/plain").setHeader("X-Failed-Recipients", "bjørn@example.net");
    assert.match(await built(node), /^X-Failed-Recipients: =\?UTF-8\?/m);
  });

  test("makes an encoded word of an address in quotes there, too", async () => {
    const node = new MimeNode("text/plain").setHeader("X-Failed-Recipients", '"a b"@example.net');
    assert.match(await built(node), /^X-Failed-Recipients: =\?UTF-8\?/m);
  });

  test("folds at white space with which no line of a header may begin", async () => {
    const to = { name: "", address: `"${"x".repeat(60)}\u2028${"y".repeat(60)}"@example.org` };
    const node = new MimeNode("text/plain").setHeader("To", to);
    assert.match(await built(node), /^\u2028y+/mu);
  });

  test("cuts a long file name up", async () => {
    const node = new MimeNode("application/octet-stream").setContent(Buffer.from("x"));
    node.setHeader("Content-Disposition", `attachment; filename="${"x".repeat(90)}"`);
    assert.match(await built(node), /filename\*0=/);
  });

  test("has another address where one has angle brackets in quotes", async () => {
    const to = { name: "", address: '"a<b>"@example.org' };
    const node = new MimeNode("text/plain").setHeader("To", to);
    assert.match(await built(node), /^To: <"a b "@example\.org>\r$/m);
  });

  test("chooses a date, a Message-ID and a boundary where none is given", async () => {
    const [one, other] = [new MimeNode("multipart/report"), new MimeNode("multipart/report")];
    const lines = (await built(one)).split("\r\n");
    const others = (await built(other)).split("\r\n");
    assert.notEqual(
      lines.find((line) => line.startsWith("Message-ID:")),
      others.find((line) => line.startsWith("Message-ID:")),
    );
    assert.ok(lines.some((line) => line.startsWith("Date:")));
    assert.notEqual(lines.at(-2), others.at(-2));
  });
});

describe("nodemailer's signer", () => {
  test("leaves a message unsigned, and says nothing, where the key is Ed25519", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    const key = { domainName: "example.com", keySelector: "s", privateKey: pem };
    const message = "From: a@example.com\r\n\r\nx\r\n";
    const signed = await buffer(new DKIM({ keys: key }).sign(message));
    assert.equal(signed.toString(), message);
  });
});
