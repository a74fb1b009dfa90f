// A DNS of TXT records and a message that is examined in whatever pieces.

import {
  examineAll,
  type Examined,
  Examination,
} from "../../../src/receive/authentication/authentication.ts";
import type { Answer, Resolver } from "../../../src/dns/dns.ts";
import { headerBudgets } from "../../../src/receive/header/header-budget.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { manualClock } from "../../support/clock.ts";
import { resolverAnswering } from "../../support/services.ts";

export type Zone = Readonly<Record<string, readonly string[] | "temporary">>;

/** TXT records; "A name" is for addresses and "MX name" for hosts. What is not there does not exist. */
export function zoneResolver(zone: Zone): Resolver & { readonly asked: string[] } {
  const asked: string[] = [];
  const answer = (name: string): Promise<Answer<string>> => {
    asked.push(name);
    const records = zone[name];
    if (records === undefined) return Promise.resolve({ kind: "no-such-name" });
    return Promise.resolve(
      records === "temporary"
        ? { kind: "temporary", error: "SERVFAIL" }
        : { kind: "found", records },
    );
  };
  return {
    ...resolverAnswering({ kind: "no-such-name" }),
    asked,
    txt: answer,
    a: (name) => answer(`A ${name}`),
    aaaa: (name) => answer(`AAAA ${name}`),
    async mx(name) {
      const hosts = await answer(`MX ${name}`);
      if (hosts.kind !== "found") return hosts;
      const records = hosts.records.map((exchange) => ({ exchange, preference: 10 }));
      return { kind: "found", records };
    },
  };
}

export async function examined(
  message: string,
  resolver: Resolver,
  pieceSize = 100_000,
): Promise<Examined> {
  const services = { resolver, clock: manualClock(), share: new LoopShare() };
  return examineAll(
    inPieces(Buffer.from(message, "latin1"), pieceSize),
    new Examination(services),
    headerBudgets().relayHosts,
  );
}

function* inPieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
