// The surroundings of the demo: a directory, a configuration, and other mail hosts on addresses of this machine.

import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RECEIVED_COPIES, SENT_COPIES, workspaceRouters } from "../test/support/build.ts";
import { tlsListener } from "../test/support/certificates.ts";
import { type FakeDns, startDns } from "../test/support/dns.ts";
import { freePort } from "../test/support/relay-process.ts";
import { Peer } from "./peer.ts";
import type { Sender } from "./sender.ts";

/** The secret header, which Google adds to mail of our tenant. */
export const TENANT_HEADER = "X-Unseen-Tenant: a-long-secret-of-ours";

export const senders = {
  google: { address: "127.0.0.2", helo: "mail-ed1-f41.google.test" },
  world: { address: "127.0.0.3", helo: "mail.example.org" },
} satisfies Record<string, Sender>;

export interface Stage extends AsyncDisposable {
  readonly directory: string;
  readonly configFile: string;
  /** The port of the relay. */
  readonly port: number;
  readonly google: Peer;
  readonly world: Peer;
  /** The directory of the Maildirs. */
  readonly mail: string;
  /** Returns the path of every copy, below `mail`. */
  readonly copyPaths: () => string[];
}

export async function setStage(): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "unseen-demo-"));
  const configFile = join(directory, "routers.toml");
  const mail = join(directory, "mail");
  const google = await Peer.start("Google", "127.0.0.10");
  const world = await Peer.start("world", "127.0.0.20");
  const dns = await startDns({
    "_spf.google.test": { TXT: [`v=spf1 ip4:${senders.google.address} ~all`] },
    "aspmx.google.test": { A: [google.address] },
    "example.org": { MX: [[10, "mx.example.org"]] },
    "mx.example.org": { A: [world.address] },
  });
  const port = await freePort();
  writeFileSync(join(directory, "gmail_accounts"), "alice\nbob\nsales\n");
  writeFileSync(configFile, configuration({ port, google, world, dns }));
  return {
    directory,
    configFile,
    port,
    google,
    world,
    mail,
    copyPaths: () =>
      readdirSync(mail, { recursive: true, encoding: "utf8" }).filter((path) =>
        path.includes("/new/"),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([google[Symbol.asyncDispose](), world[Symbol.asyncDispose](), dns.close()]);
    },
  };
}

/** etc/routers.toml with the addresses of this stage. */
function configuration(parts: {
  readonly port: number;
  readonly google: Peer;
  readonly world: Peer;
  readonly dns: FakeDns;
}): string {
  return `
[relay]
hostname = "mx.example.com"
spool_directory = "spool"
${tlsListener(parts.port)}
[dns]
servers = ["${parts.dns.address}"]

[domains]
ours = ["example.com"]

[hosts]
google_relays = ["spf:_spf.google.test"]

[gate]
local_domains = "+ours"

[[gate.relay]]
hosts = "+google_relays"
sender_domains = "+ours"
require_tls = true
proof = { header = "${TENANT_HEADER}" }
null_sender = "proof"

${workspaceRouters(`driver = "dnslookup"
domains = ["!+ours"]
ignore_target_hosts = []        # the world of this demo is this machine`)}
[transports.gmail]
driver = "smtp"
hosts = ["aspmx.google.test:${parts.google.port}"]
tls = "required"

[transports.remote_smtp]
driver = "smtp"
port = ${parts.world.port}

${RECEIVED_COPIES}${SENT_COPIES}
[archive]
directory = "mail"
state = "state"

[[retry]]
match = "*"
rules = "F,1h,2s"
`;
}
