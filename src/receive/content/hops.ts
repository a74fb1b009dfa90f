// Refuses a message with too many hops: it loops (RFC 5321 6.3).

import type { Scanner } from "../../contract/scanner.ts";
import { status } from "../../mail/status.ts";

const LOOPS = status(550, "4.6", "Too many hops, this message loops");

/** `most` is the limit of Received fields, without our own. */
export function hopsScanner(most: number): Scanner {
  return {
    name: "hops",
    onError: "defer",
    begin() {
      let hops = 0;
      return {
        mayGo: () => true,
        header: (section) => void ({ hops } = section),
        end: () => (hops > most ? { kind: "refuse", status: LOOPS } : { kind: "pass" }),
      };
    },
  };
}
