// A filter over a header section, with the reader and the scanners that it works for.

import type { Proof, Secret } from "../../../src/receive/gate/gate.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { Inbound } from "../../../src/receive/authentication/inbound.ts";
import { Examinations } from "../../../src/receive/content/examinations.ts";
import { FieldFilter } from "../../../src/receive/content/field-filter.ts";
import { authenticationScanner } from "../../../src/receive/content/sender-authentication.ts";
import { tenantScanner } from "../../../src/receive/content/tenant-proof.ts";
import { HeaderReader } from "../../../src/receive/header/header.ts";
import { manualClock } from "../../support/clock.ts";
import { resolverAnswering } from "../../support/services.ts";

export interface Watching {
  readonly isProven: boolean;
  readonly tooLong: boolean;
  readonly hops: number;
  pass(piece: Buffer): Buffer | undefined;
  end(): Buffer | undefined;
}

const services = {
  resolver: resolverAnswering({ kind: "no-such-name" }),
  clock: manualClock(),
  share: new LoopShare(),
};

export function watching(
  proofs: readonly Proof[],
  secrets: readonly Secret[] = [],
  hostname?: string,
): Watching {
  const message = {
    client: { address: "192.0.2.1", helo: "client.test" },
    sender: null,
    recipients: [],
    isLocal: true,
    isRelayed: true,
    proofs,
    claims: [],
    secrets,
  };
  const examinations = new Examinations(services);
  const tenant = tenantScanner(examinations).begin(message);
  const inbound = hostname && new Inbound({ hostname, policy: "tag" }, services);
  const results = inbound && authenticationScanner(inbound, examinations).begin(message);
  const header = new HeaderReader();
  const filter = new FieldFilter(
    header,
    [tenant, results].flatMap((scan) => (scan && scan.unwanted) || []),
  );
  return {
    get isProven() {
      return !(tenant?.end() instanceof Promise);
    },
    get tooLong() {
      return filter.tooLong;
    },
    get hops() {
      return header.hops;
    },
    pass(piece) {
      header.read(piece);
      return filter.pass(piece);
    },
    end: () => filter.end(),
  };
}
