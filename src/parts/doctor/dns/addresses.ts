// Whether the address records of the relay's name lead to this relay, and the PTR records of its addresses lead back.

import { reverseName } from "../../../dns/addresses.ts";
import type { Answer } from "../../../dns/dns.ts";
import type { Setup } from "../check.ts";
import { failure, type Finding, ok, skipped, warning } from "../finding.ts";
import { greetsAsUs, listenedAddresses, sendingAddresses } from "../own.ts";

export interface OwnAddresses {
  readonly findings: readonly Finding[];
  /** Addresses of this relay that the world knows, or may know when the records are right. */
  readonly ours: readonly string[];
  /** Addresses from which mail leaves. */
  readonly senders: readonly string[];
}

/** Looks up A and AAAA of the hostname, and finds out where they lead. */
export async function findAddresses(setup: Setup): Promise<OwnAddresses> {
  const { configuration, chain } = setup;
  const { resolver } = chain.outside;
  const { hostname } = configuration.relay;
  const [four, six] = await Promise.all([resolver.a(hostname), resolver.aaaa(hostname)]);
  const judged = [
    ...(await Promise.all(recordsOf(four).map((address) => judge(address, "A", setup)))),
    ...(await Promise.all(recordsOf(six).map((address) => judge(address, "AAAA", setup)))),
  ];
  const here = judged.filter(({ isHere }) => isHere).map(({ address }) => address);
  const listened = listenedAddresses(configuration);
  const ours = here.length > 0 ? here : writtenOut(configuration, listened);
  const { addresses: interfaces, isComplete } = sendingAddresses(setup);
  const findings = [
    ...judged.map(({ finding }) => finding),
    ...absent(hostname, { four, six }, listened),
  ];
  return {
    findings,
    ours,
    senders: isComplete ? interfaces : [...new Set([...ours, ...interfaces])],
  };
}

function recordsOf(answer: Answer<string>): readonly string[] {
  return answer.kind === "found" ? answer.records : [];
}

/** Without a record that leads here, the addresses that the listeners name themselves are ours. */
function writtenOut(
  { listeners }: Setup["configuration"],
  listened: readonly string[],
): readonly string[] {
  return listened.filter((own) => listeners.some(({ address }) => address.host === own));
}

interface Judged {
  readonly address: string;
  readonly isHere: boolean;
  readonly finding: Finding;
}

async function judge(address: string, type: "A" | "AAAA", setup: Setup): Promise<Judged> {
  const { configuration, signal } = setup;
  const { hostname } = configuration.relay;
  const listened = listenedAddresses(configuration);
  if (listened.includes(address)) {
    return { address, isHere: true, finding: ok(`${type} of ${hostname}: ${address} leads here`) };
  }
  if (await greetsAsUs(address, configuration, signal)) {
    const finding = ok(`${type} of ${hostname}: ${address} leads here, through another machine`);
    return { address, isHere: true, finding };
  }
  return {
    address,
    isHere: false,
    finding: failure(
      `${type} of ${hostname}: ${address} does not lead to this relay`,
      `Point the ${type} record to an address of this relay (it listens on ${listened.join(", ")}), or correct ` +
        "[relay] hostname. If a router forwards the address, let it forward connections from this machine too.",
    ),
  };
}

function absent(
  hostname: string,
  { four, six }: Readonly<Record<"four" | "six", Answer<string>>>,
  listened: readonly string[],
): Finding[] {
  const late = [
    ...(four.kind === "temporary" ? [["A", four.error]] : []),
    ...(six.kind === "temporary" ? [["AAAA", six.error]] : []),
  ];
  if (late.length > 0) {
    return late.map(([type, error]) =>
      skipped(`${type} of ${hostname}: the DNS gives no answer: ${error}`),
    );
  }
  if (four.kind === "found") return [];
  const advice = `Publish an A record for ${hostname} with an address of this relay: ${listened.join(", ")}.`;
  return six.kind === "found"
    ? [warning(`${hostname} has no A record, so hosts without IPv6 cannot reach it`, advice)]
    : [failure(`${hostname} has no address record`, advice)];
}

/** Whether the PTR records of the addresses name the relay. */
export async function checkPointers(
  addresses: Promise<OwnAddresses>,
  { configuration, chain }: Setup,
): Promise<readonly Finding[]> {
  const { ours, senders } = await addresses;
  const all = [...new Set([...ours, ...senders])];
  if (all.length === 0) {
    return [
      skipped("PTR: no address of this relay is known, because no address record leads here"),
    ];
  }
  const { hostname } = configuration.relay;
  const { resolver } = chain.outside;
  return Promise.all(
    all.map(async (address) =>
      pointerFinding(address, hostname, await resolver.ptr(reverseName(address))),
    ),
  );
}

function pointerFinding(address: string, hostname: string, answer: Answer<string>): Finding {
  const at = `PTR of ${address}`;
  if (answer.kind === "temporary") {
    return skipped(`${at}: the DNS gives no answer: ${answer.error}`);
  }
  const advice = `Let the provider of the address set its PTR record to ${hostname}. Many hosts refuse mail without it.`;
  if (answer.kind !== "found") return failure(`${at}: there is none`, advice);
  const names = answer.records.map((name) => name.replace(/\.$/, ""));
  if (names.includes(hostname)) return ok(`${at}: ${hostname}`);
  return failure(`${at}: it names ${names.slice(0, 3).join(", ")}, not ${hostname}`, advice);
}
