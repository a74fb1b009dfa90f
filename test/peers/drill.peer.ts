// relayctl failover drill with Debian's Dovecot, on what relayctl dovecot-config prints: as a postmaster runs it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findUser } from "../../src/base/users.ts";
import { workspaceConfig } from "../support/build.ts";
import { freePort, startRelayProcess } from "../support/relay-process.ts";
import { relayctl } from "../support/program.ts";
import { startSink } from "../support/sink.ts";
import { realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

const TLS = join(import.meta.dirname, "../support/tls");
const skip =
  missing("dovecot-imapd") || (process.getuid?.() !== 0 && "only root starts Dovecot for a user");

/** Each file with the sum of its octets; new/ and cur/ count as one, because Dovecot moves copies. */
function filesOf(root: string): ReadonlyMap<string, string> {
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const sum = () => createHash("sha256").update(readFileSync(path)).digest("hex");
      const name = path.slice(root.length).replace(/\/(?:new|cur)\/(.+?)(?::2,)?$/, "/$1");
      return [name, entry.isFile() ? sum() : "directory"];
    }),
  );
}

for (const access of [[], ["--write-access"]] as const) {
  const what = access.length === 0 ? "read-only" : "with write access";
  test(`all steps work ${what}, and nothing is left`, { skip }, async () => {
    const directory = workDirectory("drill");
    const nobody = findUser("nobody");
    assert.ok(nobody !== undefined);
    await using google = await startSink({
      replies: { "unseen-drill": [550, "5.1.1 The email account does not exist"] },
    });
    const [imap, smtp, submission] = [await freePort(), await freePort(), await freePort()];
    const pair = `certificate = "${TLS}/certificate.pem"\nprivate_key = "${TLS}/private-key.pem"`;
    const file = join(directory, "routers.toml");
    writeFileSync(
      file,
      `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
user = "nobody"
[[listeners]]
address = "127.0.0.1:${smtp}"
[[listeners]]
address = "127.0.0.1:${submission}"
protocol = "submission"
tls = "starttls"
${pair}
${workspaceConfig(google.port)}
[failover]
transports = ["gmail"]
imap = "127.0.0.1:${imap}"
`,
    );
    for (const name of ["mail", "spool"]) {
      mkdirSync(join(directory, name));
      chownSync(join(directory, name), nobody.uid, nobody.gid);
    }
    writeFileSync(join(directory, "gmail_accounts"), "alice\nbob");
    writeFileSync(join(directory, "users"), "# people", { mode: 0o600 });
    chownSync(join(directory, "users"), nobody.uid, nobody.gid);
    const relay = await startRelayProcess(file);
    try {
      await submit(smtp, "alice@example.com", "bob@example.com", realMail());
      await google.waitFor(realMail().length);
      const printed = await relayctl(["dovecot-config", ...access, "--config", file]);
      const own = `base_dir = ${directory}/run\nstate_dir = ${directory}/state\nlog_path = ${directory}/log\n`;
      writeFileSync(join(directory, "dovecot.conf"), `${printed.stdout}${own}`);
      const command = ["dovecot", "-F", "-c", join(directory, "dovecot.conf")];
      await using daemon = await startDaemon(command, imap, directory);
      assert.ok(daemon);
      const [mail, users] = [join(directory, "mail"), join(directory, "users")];
      const before = [filesOf(mail), readFileSync(users, "latin1")];
      for (let turn = 0; turn < 2; turn++) {
        const drill = await relayctl(["failover", "drill", "--json", "--config", file]);
        assert.deepEqual([drill.code, drill.stderr], [0, ""], drill.stdout);
        assert.deepEqual([filesOf(mail), readFileSync(users, "latin1")], before);
        assert.ok(!readdirSync(join(directory, "spool")).includes("failover-drill.json"));
      }
      assert.doesNotMatch(textOf(join(directory, "log")), /Error|Panic/);
    } finally {
      await relay.kill("SIGTERM");
    }
  });
}
