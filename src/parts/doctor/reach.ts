// Whether the hosts that mail is to be delivered to can be reached, with TLS and the login as the transport asks, and
// whether port 25 is open outbound. Each connection is made as for a delivery, and ends before MAIL.

import type { Reached, Transport } from "../../contract/contract.ts";
import { placeText } from "../../mail/place.ts";
import { type Status, statusLine } from "../../mail/status.ts";
import type { CheckPart, Setup } from "./check.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";
import { type NextHop, nextHops } from "./next-hops.ts";

/** Hosts that are tried at most. */
const HOSTS_MAX = 50;
/** Milliseconds for one host. */
const HOST_TIME = 30_000;
/** Milliseconds for a host of the world. */
const PORT_TIME = 15_000;
/** A domain with large and reliable mail hosts: if port 25 to them fails, the way out is blocked here. */
const WORLD = "gmail.com";

export function checkReach(setup: Setup): readonly CheckPart[] {
  const hops = nextHops(setup);
  const tried = hops.slice(0, HOSTS_MAX).map((hop) => ({ hop, reached: reach(hop, setup) }));
  const rest = hops.length - tried.length;
  return [
    { about: "port 25 outbound", findings: outboundFinding(tried, setup) },
    ...tried.map(({ hop, reached }) => ({
      about: `${hop.at}: ${hop.host.name}`,
      findings: reached.then((all) => hopFinding(hop, all)),
    })),
    ...(rest > 0
      ? [{ about: "more", findings: Promise.resolve(skipped(`${rest} more hosts were not tried`)) }]
      : []),
  ];
}

async function reach({ transport, host }: NextHop, { signal }: Setup): Promise<readonly Reached[]> {
  const own = AbortSignal.any([signal, AbortSignal.timeout(HOST_TIME)]);
  return (await transport.reach?.(host, own)) ?? [];
}

function hopFinding({ at, host }: NextHop, all: readonly Reached[]): Finding {
  const reached = all.filter((found) => found.kind === "reached");
  const failed = all.filter((found) => found.kind === "failed");
  const failures = failed.filter(({ noRoute }) => noRoute !== true);
  const [first] = reached;
  const [bad] = failures.length > 0 ? failures : failed;
  const name = host.port === undefined ? host.name : `${host.name}:${host.port}`;
  if (first === undefined && bad === undefined) {
    return skipped(`${at}: ${name} cannot be tried with this kind of transport`);
  }
  if (first === undefined) {
    const why = bad === undefined ? "" : replyText(bad.status);
    const where = bad?.place === undefined ? name : placeText(bad.place);
    return failure(`${at}: ${where}: ${why}`, adviceFor(at, bad));
  }
  const tls = first.tls ?? "in the clear";
  const found = `${at}: ${placeText(first.place)}: ${tls}`;
  if (bad === undefined || failures.length === 0) return ok(found);
  const where = bad.place === undefined ? name : placeText(bad.place);
  return warning(`${found}, but ${where}: ${replyText(bad.status)}`, adviceFor(at, bad));
}

/** Node adds hints about its own options to the errors of OpenSSL. */
function replyText(status: Status): string {
  return statusLine(status).replace(/; if the root CA is installed.*$/, "");
}

function adviceFor(at: string, failed: Extract<Reached, { kind: "failed" }> | undefined): string {
  const own = at.startsWith("transports.") ? `hosts of ${at}` : `the hosts of ${at}`;
  switch (failed?.error) {
    case "tls_required":
      return `Ask the host for TLS and a valid certificate, or change tls of the transport.`;
    case "auth_failed":
      return "Correct auth_user and auth_password_file of the transport.";
    case "lookup":
      return `Correct the name in ${own}, or its address record.`;
    case "refused":
    case "timeout":
    case "lost_connection":
      return `Open the way to this host and port in the firewall, or correct ${own}.`;
    case "quota":
    case undefined:
      return failed?.status.enhanced.startsWith("4.7.") === true
        ? `Ask the host for a valid certificate in its name, or change tls of the transport.`
        : `Correct ${own}, or ask its postmaster why.`;
  }
}

interface Tried {
  readonly hop: NextHop;
  readonly reached: Promise<readonly Reached[]>;
}

/** Mail for the world needs port 25. A host of the configuration at that port shows it, else a host of the world. */
async function outboundFinding(tried: readonly Tried[], setup: Setup): Promise<Finding> {
  const all = (await Promise.all(tried.map(({ reached }) => reached))).flat();
  const at25 = all.filter((found) => portOf(found) === 25);
  const answered = at25.find((found) => found.kind === "reached");
  if (answered?.place !== undefined) {
    return ok(`port 25 outbound is open: ${placeText(answered.place)} answers`);
  }
  const byMx = Array.from(setup.chain.transports.values()).find(
    (transport) => transport.reach !== undefined && (transport.hosts ?? []).length === 0,
  );
  if (byMx !== undefined) return worldFinding(byMx, setup);
  // The hosts themselves are findings already.
  return skipped(
    at25.length > 0
      ? "port 25 outbound: no host of the transports answers there"
      : "port 25 outbound: no transport uses it",
  );
}

function portOf(reached: Reached): number | undefined {
  return reached.place?.kind === "host" ? reached.place.port : undefined;
}

/** Tries the first mail host of a big domain, in the way of the transport that delivers to the world. */
async function worldFinding(transport: Transport, setup: Setup): Promise<Finding> {
  const answer = await setup.chain.outside.resolver.mx(WORLD);
  const [first] =
    answer.kind === "found" ? answer.records.toSorted((a, b) => a.preference - b.preference) : [];
  if (first === undefined) {
    return skipped(`port 25 outbound: the DNS names no mail host of ${WORLD} to try`);
  }
  const signal = AbortSignal.any([setup.signal, AbortSignal.timeout(PORT_TIME)]);
  const name = first.exchange.replace(/\.$/, "");
  const all = (await transport.reach?.({ name, domain: WORLD }, signal)) ?? [];
  const answered = all.find((found) => found.kind === "reached");
  if (answered?.place !== undefined) {
    return ok(`port 25 outbound is open: ${placeText(answered.place)} answers`);
  }
  const refused = all.find((found) => found.kind === "failed" && found.place !== undefined);
  if (refused?.kind !== "failed") {
    return skipped(`port 25 outbound: ${name} has no address to try`);
  }
  if (refused.error === "tls_required") {
    return ok(`port 25 outbound is open: ${name} answers`);
  }
  return failure(
    `port 25 outbound: ${name} does not answer: ${replyText(refused.status)}`,
    "Ask the provider of this machine to open port 25 outbound, or send by a smarthost at port 587 " +
      '(driver = "manualroute").',
  );
}
