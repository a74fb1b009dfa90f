// Real programs that send by submission: swaks, Python's smtplib and msmtp.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startSubmission } from "../parts/submission/relay.ts";
import { missing } from "./packages.ts";

const run = promisify(execFile);
const skip = missing("swaks", "libnet-ssleay-perl", "msmtp");

const PYTHON = `
import smtplib, ssl, sys
from email.message import EmailMessage
port, implicit = int(sys.argv[1]), sys.argv[2] == "implicit"
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
message = EmailMessage()
message["From"] = "Älice <alice@example.com>"
message["To"] = "bob@example.com"
message["Bcc"] = "secret@example.com"
message["Subject"] = "Grüße"
message.set_content("hällo")
message.add_attachment(b"\\0" * 300000, maintype="application", subtype="octet-stream")
server = smtplib.SMTP_SSL("127.0.0.1", port, context=context) if implicit else smtplib.SMTP("127.0.0.1", port)
if not implicit: server.starttls(context=context)
server.login("alice@example.com", "geheim")
server.send_message(message, to_addrs=["bob@example.com"])
server.quit()
`;

for (const tls of ["implicit", "starttls"] as const) {
  test(`swaks, smtplib and msmtp by ${tls}`, { skip }, async () => {
    await using submission = await startSubmission(tls);
    const { relay } = submission;
    const port = String(relay.port);
    const swaksTls = tls === "implicit" ? "--tls-on-connect" : "-tls";
    for (const auth of ["PLAIN", "LOGIN"]) {
      const login = [
        "--auth",
        auth,
        "--auth-user",
        "alice@example.com",
        "--auth-password",
        "geheim",
      ];
      const mail = ["--from", "alice@example.com", "--to", "bob@example.com"];
      await run("swaks", ["--server", "127.0.0.1", "--port", port, swaksTls, ...login, ...mail]);
    }
    await run("python3", ["-c", PYTHON, port, tls]);
    const settings = join(relay.directory, "msmtprc");
    writeFileSync(
      settings,
      `account default\nhost 127.0.0.1\nport ${port}\ntls on\ntls_certcheck off\ntls_starttls ${tls === "implicit" ? "off" : "on"}\nauth on\nuser alice@example.com\npassword geheim\nfrom alice@example.com\n`,
      { mode: 0o600 },
    );
    const sending = run("msmtp", ["-C", settings, "bob@example.com"]);
    sending.child.stdin?.end("From: alice@example.com\nBcc: secret@example.com\n\nhi\n");
    await sending;
    const accepted = await relay.happened("message.accepted", 4);
    assert.ok(accepted.every(({ user }) => user === "alice@example.com"));
    await relay.happened("message.completed", 4);
    const copies = await relay.copies("mail/example.com/alice/.Sent");
    assert.equal(copies.length, 4);
    for (const copy of copies) {
      assert.ok(!/^Bcc:/im.test(copy), copy);
      assert.match(copy, /^Date: /im);
      assert.match(copy, /^Message-ID: /im);
    }
  });
}
