// A small world in which everything is set up right: a relay that runs, the DNS of its domain, Google, a policy host and
// two hosts that know the time, all on 127.0.0.1. A test breaks one thing, and sees what the doctor finds.

import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { commandMeans } from "../../../src/cli/part-means.ts";
import { examine } from "../../../src/parts/doctor/doctor.ts";
import { type CheckName, CHECKS } from "../../../src/parts/doctor/finding.ts";
import type { NamedFinding } from "../../../src/parts/doctor/check.ts";
import { loadConfiguration } from "../../../src/config/load.ts";
import { builtIn } from "../../../src/built-in.ts";
import { Authority } from "../../support/authority.ts";
import { workspaceRouters, RECEIVED_COPIES, SENT_COPIES } from "../../support/build.ts";
import type { Zone } from "../../support/dns.ts";
import { policy, type PolicyHost, startPolicyHost } from "../../support/policy-host.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { type Sink, startSink } from "../../support/sink.ts";

export const ZONE: Zone = {
  "mx.example.com": { A: ["127.0.0.1"], TXT: ["v=spf1 ip4:127.0.0.1 -all"] },
  "1.0.0.127.in-addr.arpa": { PTR: ["mx.example.com"] },
  "example.com": {
    MX: [
      [10, "mx.example.com"],
      [20, "backup.example.com"],
    ],
    TXT: ["v=spf1 ip4:127.0.0.1 include:_spf.google.com ~all", "another=text"],
  },
  "backup.example.com": { A: ["192.0.2.7"] },
  "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject"] },
  "_mta-sts.example.com": { TXT: ["v=STSv1; id=1"] },
  "mta-sts.example.com": { A: ["127.0.0.1"] },
  "_spf.google.com": { TXT: ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:1::/48 ~all"] },
  "aspmx.l.google.com": { A: ["127.0.0.1"] },
  "www.google.com": { A: ["127.0.0.1"] },
  "www.cloudflare.com": { A: ["127.0.0.1"] },
};

export const POLICY = ["mode: enforce", "mx: mx.example.com", "max_age: 86400"] as const;

/** The last router: mail for the world goes to the same host as mail for Google. */
const world = (port: number) => `driver = "manualroute"
domains = ["!+ours"]
route = ["127.0.0.1:${port}"]`;

const TABLES = (google: number, https: number) => `
[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
tls = "starttls"
certificate = "certificate.pem"
private_key = "key.pem"
[https]
port = ${https}
ignore_target_hosts = []
[domains]
ours = ["example.com"]
[hosts]
google_relays = ["spf:_spf.google.com"]
trusted = ["127.0.0.1"]
backups = ["192.0.2.7"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = "+trusted"
sender_domains = "*"
[[gate.relay]]
hosts = "+google_relays"
sender_domains = "+ours"
require_tls = true
proof = { header = ["X-Tenant: s3cret"] }
${workspaceRouters(world(google))}[transports.gmail]
driver = "smtp"
hosts = ["aspmx.l.google.com:${google}"]
tls = "required"
[transports.remote_smtp]
driver = "smtp"
${RECEIVED_COPIES}${SENT_COPIES}`;

interface WorldOptions {
  /** The list of hosts is in no rule. */
  readonly isUnused?: boolean;
  /** Further files beside routers.toml. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A finding that is not ok, in short. */
export type Short = readonly [check: string, result: string, found: string];

export class World implements AsyncDisposable {
  readonly relay: TestRelay;
  readonly policyHost: PolicyHost;
  readonly sink: Sink;
  readonly authority: Authority;
  readonly #more: AsyncDisposableStack;

  private constructor(
    relay: TestRelay,
    policyHost: PolicyHost,
    sink: Sink,
    authority: Authority,
    more: AsyncDisposableStack,
  ) {
    this.relay = relay;
    this.policyHost = policyHost;
    this.sink = sink;
    this.authority = authority;
    this.#more = more;
  }

  /** `edit` changes the text of routers.toml. */
  static async open(
    edit: (config: string) => string = (config) => config,
    { isUnused = false, files = {} }: WorldOptions = {},
  ): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const authority = stack.use(new Authority());
    const known = getCACertificates();
    setDefaultCACertificates([...known, authority.certificate.toString()]);
    stack.defer(() => setDefaultCACertificates(known));
    const names = ["mta-sts.example.com", "www.google.com", "www.cloudflare.com"];
    const policyHost = stack.use(await startPolicyHost(authority, names));
    policyHost.answer = policy(...POLICY);
    const sink = stack.use(await startSink({ tls: true }));
    const { chain, key } = authority.issue({ names: ["mx.example.com"], days: 90 });
    const relay = stack.use(
      await startTestRelay({
        config: edit(TABLES(sink.port, policyHost.https.port)),
        dns: ZONE,
        files: {
          gmail_accounts: "alice\nbob: alice\n",
          "certificate.pem": chain,
          "key.pem": key,
          ...files,
        },
        modes: { "key.pem": 0o600 },
      }),
    );
    await mkdir(join(relay.directory, "mail"), { recursive: true, mode: 0o700 });
    // A list that no rule uses is not refreshed by the relay.
    if (!isUnused) await relay.happened("hosts.refreshed");
    return new World(relay, policyHost, sink, authority, stack.move());
  }

  /** routers.toml, as it is now. */
  get text(): string {
    return readFileSync(this.file, "utf8");
  }

  get file(): string {
    return join(this.relay.directory, "routers.toml");
  }

  /** Writes a file of the configuration. Returns a function that writes what was there. */
  async write(name: string, text: string): Promise<() => Promise<void>> {
    const path = join(this.relay.directory, name);
    const before = await readFile(path, "utf8");
    await writeFile(path, text);
    return () => writeFile(path, before);
  }

  /** Changes the records of the DNS. Names with undefined vanish. */
  zone(changes: Readonly<Record<string, unknown>>): void {
    const changed = Object.entries({ ...ZONE, ...changes }).filter(
      ([, entry]) => entry !== undefined,
    );
    this.relay.dns.set(JSON.parse(JSON.stringify(Object.fromEntries(changed))));
  }

  async examine(checks: readonly CheckName[] = CHECKS): Promise<readonly NamedFinding[]> {
    const loaded = await loadConfiguration(this.file, builtIn);
    if (!("configuration" in loaded)) throw new Error(JSON.stringify(loaded));
    return examine(loaded.configuration, checks, commandMeans(this.file));
  }

  /** Warnings and failures. */
  async complaints(checks?: readonly CheckName[]): Promise<readonly Short[]> {
    const findings = await this.examine(checks);
    return findings.flatMap(({ check, result, found }) =>
      result === "warn" || result === "fail" ? [[check, result, found] as const] : [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#more.disposeAsync();
  }
}
