// DNSSEC in earnest: BIND serves a zone that its own tools have signed, and Unbound validates it.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/relay-process.ts";
import { startDaemon, workDirectory } from "./program.ts";

export interface Validator extends AsyncDisposable {
  /** Of Unbound, as `servers` of [dns] takes it. */
  readonly address: string;
}

export interface SignedZone {
  /** "signed.test". */
  readonly name: string;
  /** Lines of a zone file, without SOA and NS. */
  readonly records: readonly string[];
  /** Spoils the zone after it has been signed. */
  readonly spoil?: (signed: string) => string;
}

/** Serves the zone, and the same records unsigned as `unsigned`. */
export async function startValidator(
  { name, records, spoil = (signed) => signed }: SignedZone,
  unsigned: string,
): Promise<Validator> {
  const bind = workDirectory("bind");
  const unbound = workDirectory("unbound");
  const [bindPort, unboundPort] = [await freePort(), await freePort()];
  const run = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { cwd: bind, encoding: "utf8", stdio: "pipe" }).trim();

  const head = [
    "$TTL 300",
    "@ IN SOA ns hostmaster 1 3600 600 86400 60",
    "@ IN NS ns",
    "ns IN A 127.0.0.1",
  ];
  const zone = [...head, ...records, ""].join("\n");
  const keySigningKey = run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", name);
  run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", name);
  const keys = readdirSync(bind).filter((file) => file.endsWith(".key"));
  const keyRecords = keys.map((file) => readFileSync(join(bind, file), "utf8")).join("");
  writeFileSync(join(bind, "zone"), zone + keyRecords);
  writeFileSync(join(bind, "unsigned"), zone);
  run("dnssec-signzone", "-q", "-o", name, "-3", "abcd", "-f", "signed", "zone");
  writeFileSync(join(bind, "signed"), spoil(readFileSync(join(bind, "signed"), "utf8")));

  writeFileSync(
    join(bind, "named.conf"),
    `
options {
  directory "${bind}";
  listen-on port ${bindPort} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  pid-file "${bind}/pid";
  session-keyfile "${bind}/session.key";
};
controls { };
zone "${name}" { type primary; file "signed"; };
zone "${unsigned}" { type primary; file "unsigned"; };
`,
  );
  writeFileSync(
    join(unbound, "unbound.conf"),
    `
server:
  interface: 127.0.0.1@${unboundPort}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${unbound}"
  pidfile: "${unbound}/pid"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor-file: "${join(bind, `${keySigningKey}.key`)}"
  domain-insecure: "${unsigned}"
  local-zone: "test." nodefault
stub-zone:
  name: "${name}"
  stub-addr: 127.0.0.1@${bindPort}
stub-zone:
  name: "${unsigned}"
  stub-addr: 127.0.0.1@${bindPort}
remote-control:
  control-enable: no
`,
  );
  const stack = new AsyncDisposableStack();
  stack.use(await startDaemon(["named", "-f", "-c", join(bind, "named.conf")], bindPort, bind));
  stack.use(
    await startDaemon(["unbound", "-d", "-c", join(unbound, "unbound.conf")], unboundPort, unbound),
  );
  return {
    address: `127.0.0.1:${unboundPort}`,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
