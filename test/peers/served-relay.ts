// A relay in a process of its own that becomes nobody, and Debian's Dovecot on what relayctl dovecot-config prints for it.

import assert from "node:assert/strict";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findUser } from "../../src/base/users.ts";
import { workspaceConfig } from "../support/build.ts";
import { relayctl } from "../support/program.ts";
import { freePort, startRelayProcess } from "../support/relay-process.ts";
import { missing } from "./packages.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

const TLS = join(import.meta.dirname, "../support/tls");

/** For the `skip` option of a test. */
export function notServed(): string | false {
  if (process.getuid?.() !== 0) return "only root starts Dovecot for a user";
  return missing("dovecot-imapd");
}

export interface ServedRelay extends AsyncDisposable {
  readonly directory: string;
  /** routers.toml. */
  readonly file: string;
  readonly smtp: number;
  readonly submission: number;
  readonly imap: number;
  /** The log of Dovecot. */
  log(): string;
}

export interface ServedOptions {
  readonly google: number;
  readonly world?: number;
  /** Flags of dovecot-config. */
  readonly access?: readonly string[];
  /** Further options of [failover]. */
  readonly failover?: string;
  /** The text of the users file. */
  readonly users: string;
}

/** The accounts are alice and bob. */
export async function startServedRelay(options: ServedOptions): Promise<ServedRelay> {
  const directory = workDirectory("served");
  const nobody = findUser("nobody");
  assert.ok(nobody !== undefined);
  const [imap, smtp, submission] = [await freePort(), await freePort(), await freePort()];
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
certificate = "${TLS}/certificate.pem"
private_key = "${TLS}/private-key.pem"
${workspaceConfig(options.google, options.world)}
[failover]
transports = ["gmail"]
imap = "127.0.0.1:${imap}"
${options.failover ?? ""}
`,
  );
  for (const name of ["mail", "spool"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "gmail_accounts"), "alice\nbob");
  writeFileSync(join(directory, "users"), options.users, { mode: 0o600 });
  for (const name of ["mail", "spool", "users"])
    chownSync(join(directory, name), nobody.uid, nobody.gid);
  const relay = await startRelayProcess(file);
  await using failing = new AsyncDisposableStack();
  failing.defer(() => relay.kill("SIGTERM").then(() => undefined));
  const args = ["dovecot-config", ...(options.access ?? []), "--config", file];
  const { stdout } = await relayctl(args);
  const own = `base_dir = ${directory}/run\nstate_dir = ${directory}/state\nlog_path = ${directory}/log\n`;
  writeFileSync(join(directory, "dovecot.conf"), `${stdout}${own}`);
  const command = ["dovecot", "-F", "-c", join(directory, "dovecot.conf")];
  const daemon = await startDaemon(command, imap, directory);
  failing.move();
  return {
    directory,
    file,
    smtp,
    submission,
    imap,
    log: () => textOf(join(directory, "log")),
    async [Symbol.asyncDispose]() {
      await relay.kill("SIGTERM");
      await daemon[Symbol.asyncDispose]();
    },
  };
}
