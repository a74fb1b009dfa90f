// Bounces that are signed: what reaches the sender's host is right over every octet, and follows the key at a reload.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";

/** What signers and transports have broken: blanks, dots, octets beyond ASCII, blank lines at the end. */
const MESSAGE = Buffer.from(
  "Subject: hello\r\nMessage-ID: <1@example>\r\n\r\nblanks  \t\r\n..dot\r\n...dots\r\ncaf\xe9 \r\n\r\n \r\n\r\n\r\n.\r\n",
  "latin1",
);

function pem({ privateKey }: { privateKey: KeyObject }): string {
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

async function bounced(relay: TestRelay): Promise<void> {
  using client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<alice@example.com> BODY=8BITMIME");
  await client.ask("RCPT TO:<permfail@example.org>");
  await client.ask("DATA");
  client.send(MESSAGE);
  assert.match(await client.reply(), /^250 /);
}

test("a bounce is signed with the key in force, over what its reader gets", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");
  const entry = '{ domain = "example.com", selector = "relay", key_file = "dkim.pem" }';
  const head = `[relay]\nhostname = "mx.example.com"\nspool_directory = "spool"\ndkim = [${entry}]\n`;
  await using relay = await startTestRelay({
    config: head + workspaceConfig(google.port, world.port),
    files: { gmail_accounts: "alice\n", "dkim.pem": pem(rsa) },
    modes: { "dkim.pem": 0o600 },
  });

  const signature = async (count: number, { publicKey }: { publicKey: KeyObject }) => {
    const raw = (await google.waitFor(count))[count - 1]?.raw ?? Buffer.alloc(0);
    const body = MESSAGE.subarray(0, -3).toString("latin1").replaceAll("\r\n.", "\r\n");
    assert.ok(raw.toString("latin1").includes(body), "the message goes back as it came");
    const spki = publicKey.export({ type: "spki", format: "der" });
    const isRsa = publicKey.asymmetricKeyType === "rsa";
    const p = (isRsa ? spki : spki.subarray(-32)).toString("base64");
    const resolver = (name: string) => {
      assert.equal(name, "relay._domainkey.example.com");
      return Promise.resolve([[`v=DKIM1; k=${isRsa ? "rsa" : "ed25519"}; p=${p}`]]);
    };
    const { results, headerFrom } = await dkimVerify(raw, { resolver, strict: true });
    assert.deepEqual(headerFrom, ["MAILER-DAEMON@mx.example.com"]);
    return results.map(({ status, signingDomain, algo }) =>
      [signingDomain, algo, status.result, status.aligned].join(" "),
    );
  };
  await bounced(relay);
  assert.deepEqual(await signature(1, rsa), ["example.com rsa-sha256 pass example.com"]);

  await writeFile(join(relay.directory, "dkim.pem"), pem(ed25519));
  await bounced(relay);
  assert.deepEqual(await signature(2, rsa), ["example.com rsa-sha256 pass example.com"]);
  assert.ok("listeners" in (await relay.relay.reload()));
  await bounced(relay);
  assert.deepEqual(await signature(3, ed25519), ["example.com ed25519-sha256 pass example.com"]);

  await writeFile(join(relay.directory, "dkim.pem"), "spoilt");
  const reloaded = await relay.relay.reload();
  assert.ok("problems" in reloaded && reloaded.problems.length === 1);
  assert.match(reloaded.problems[0] ?? "", /routers\.toml:\d+: relay\.dkim\[0\]\.key_file: .*PEM/);
  await bounced(relay);
  assert.deepEqual(await signature(4, ed25519), ["example.com ed25519-sha256 pass example.com"]);
  assert.deepEqual(relay.log.named("message.unsigned"), []);
});
