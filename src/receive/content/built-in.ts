// The built-in scanners: hops, the proof of our tenant, and the authentication of senders.

import type { Scanner } from "../../contract/scanner.ts";
import type { ExaminationServices } from "../authentication/authentication.ts";
import type { Inbound } from "../authentication/inbound.ts";
import { Examinations } from "./examinations.ts";
import { hopsScanner } from "./hops.ts";
import type { Inspected } from "./inspected.ts";
import { authenticationScanner } from "./sender-authentication.ts";
import { tenantScanner } from "./tenant-proof.ts";

export interface BuiltInServices extends ExaminationServices {
  readonly receivedHeadersMax: number;
  /** Absent if strangers' mail is not authenticated. */
  readonly inbound?: Inbound | undefined;
}

/** All built-in scanners. The first one that refuses decides. */
export function builtInScanners(services: BuiltInServices): readonly Scanner<Inspected>[] {
  const { receivedHeadersMax, inbound } = services;
  const examinations = new Examinations(services);
  return [
    hopsScanner(receivedHeadersMax),
    tenantScanner(examinations),
    ...(inbound === undefined ? [] : [authenticationScanner(inbound, examinations)]),
    // After the scanners that ask it.
    examinations,
  ];
}
