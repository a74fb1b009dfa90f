// relayctl dovecot-config: what it prints for which configuration.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { workspaceConfig } from "../../support/build.ts";

const MAIN = join(import.meta.dirname, "../../../src/main.ts");
const TLS = join(import.meta.dirname, "../../support/tls");

const RELAY = `[relay]
hostname = "mx.example.com"
spool_directory = "spool 100%"
user = "nobody"
`;
const LISTENER = `[[listeners]]
address = "127.0.0.1:0"
tls = "starttls"
certificate = "${TLS}/certificate.pem"
private_key = "${TLS}/private-key.pem"
`;
const IMAP = `[failover]
transports = ["gmail"]
imap = "127.0.0.1:10993"
`;

interface Printed {
  readonly code: number;
  readonly text: string;
  readonly directory: string;
}

async function printed(config: string, ...flags: readonly string[]): Promise<Printed> {
  const directory = mkdtempSync(join(tmpdir(), "unseen-dovecot-"));
  const file = join(directory, "routers.toml");
  writeFileSync(join(directory, "gmail_accounts"), "alice\n");
  writeFileSync(file, config);
  const args = [MAIN, "dovecot-config", ...flags, "--config", file];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return { code: 0, text: stdout, directory };
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error && "stderr" in error);
    return { code: Number(error.code), text: String(error.stderr), directory };
  }
}

describe("relayctl dovecot-config", () => {
  for (const version of ["2.3", "2.4"]) {
    test(`names absolute paths, the certificate and the users, for ${version}`, async () => {
      const config = `${RELAY}${LISTENER}${workspaceConfig(25)}${IMAP}`;
      const { code, text, directory } = await printed(config, "--version", version);
      assert.equal(code, 0, text);
      const user = version === "2.3" ? "%d/%n" : "%{user | domain}/%{user | username}";
      assert.ok(text.includes(`${directory}/mail/${user}`), text);
      assert.ok(text.includes(`${directory}/spool 100%%/dovecot/${user}`), text);
      assert.ok(text.includes(`${TLS}/certificate.pem`));
      assert.ok(text.includes(`${directory}/users`));
      assert.match(text, /port = 10993/);
      assert.match(text, /mailbox Sent \{\n.*\n {4}special_use = \\Sent/);
      assert.match(text, /acl_globals_only = yes/);
      assert.doesNotMatch(text, /\{(?:sender_)?(?:domain|local_part)\}/);
      assert.doesNotMatch(text, /imap_acl|Drafts/);
    });

    test(`gives users all rights with --write-access, for ${version}`, async () => {
      const config = `${RELAY}${LISTENER}${workspaceConfig(25)}`;
      const { text } = await printed(config, "--version", version, "--write-access");
      assert.doesNotMatch(text, /acl/);
      assert.match(text, /special_use = \\Drafts/);
      assert.match(text, /port = 993/);
    });
  }

  test("without a certificate only this machine can log in", async () => {
    const config = `${RELAY}[[listeners]]\naddress = "127.0.0.1:0"\n${workspaceConfig(25)}`;
    const { text } = await printed(config, "--version", "2.3");
    assert.match(text, /^listen = 127\.0\.0\.1$/m);
    assert.match(text, /^ssl = no$/m);
  });

  test("a configuration without Maildirs of recipients is an error", async () => {
    const config = `${RELAY}${LISTENER}${workspaceConfig(25)}`.replaceAll(
      "mail/{domain}/{local_part}",
      "mail/all",
    );
    const { code, text } = await printed(config);
    assert.deepEqual([code, /no transport keeps/.test(text)], [78, true]);
  });
});
