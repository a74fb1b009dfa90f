// The users file as Debian's Dovecot reads it: the passwords that relayctl wrote are Dovecot's too.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { argon2Of } from "../../src/users/argon2.ts";
import { changeUsers } from "../../src/users/users.ts";
import { passwordFieldOf } from "../../src/users/passwd-file.ts";
import { missing } from "./packages.ts";
import { startDaemon, workDirectory } from "./program.ts";
import { freePort } from "../support/relay-process.ts";

const DOVEADM = "doveadm";
const skip = missing("dovecot-core", "dovecot-imapd");

test("doveadm verifies our hashes, and refuses other passwords", { skip }, async () => {
  for (const password of ["geheim", " blanks: ", "pässwörd", "x".repeat(200)]) {
    const hash = `{ARGON2ID}${await argon2Of(password)}`;
    const answer = execFileSync(DOVEADM, ["pw", "-t", hash, "-p", password], {
      encoding: "utf8",
    });
    assert.match(answer, /\(verified\)/);
    assert.notEqual(spawnSync(DOVEADM, ["pw", "-t", hash, "-p", `${password}x`]).status, 0);
  }
});

test("we verify doveadm's own hash", { skip }, async () => {
  const { isArgon2Of, parseArgon2 } = await import("../../src/users/argon2.ts");
  for (const scheme of ["ARGON2ID", "ARGON2I"]) {
    const args = ["pw", "-s", scheme, "-p", "geheim"];
    const field = execFileSync(DOVEADM, args, { encoding: "utf8" }).trim();
    const hash = parseArgon2(field.replace(/^\{[^}]*\}/, ""));
    assert.ok(hash !== undefined, field);
    assert.ok(await isArgon2Of(hash, "geheim"));
    assert.ok(!(await isArgon2Of(hash, "falsch")));
  }
});

test(
  "Dovecot's login reads the file, with roles, second factors and lines of others",
  { skip },
  async () => {
    const directory = workDirectory("users");
    const file = join(directory, "users");
    const port = await freePort();
    writeFileSync(file, "# ours\ndave@example.com:{PLAIN}offen::::::\n");
    const password = await passwordFieldOf("geheim");
    await changeUsers(file, {}, (users) => {
      users.add("alice@example.com", { password, role: "auditor", totp: "ABC", mustChange: true });
      users.add("bob@example.com", { password });
      return true;
    });
    chmodSync(file, 0o644);
    const configuration = join(directory, "dovecot.conf");
    writeFileSync(
      configuration,
      `listen = 127.0.0.1
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
ssl = no
protocols = imap
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = passwd-file
  args = ${file}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${directory}
}
`,
    );
    await using daemon = await startDaemon(["dovecot", "-F", "-c", configuration], port, directory);
    assert.ok(daemon);
    const login = (user: string, given: string) =>
      spawnSync(DOVEADM, ["-c", configuration, "auth", "test", user, given]).status === 0;
    for (const [user, given] of [
      ["alice@example.com", "geheim"],
      ["ALICE@example.com", "geheim"],
      ["bob@example.com", "geheim"],
      ["dave@example.com", "offen"],
    ] as const) {
      assert.ok(login(user, given), user);
      assert.ok(!login(user, `${given}x`), user);
    }
  },
);
