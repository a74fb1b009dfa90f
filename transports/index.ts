// Every transport that comes with the relay, by its `driver` name in routers.toml. A third party's transport follows
// the same contract and is loaded from its own file or package.
//
// Doors: maildir-append.ts, smtp/events.ts.

import type { TransportDriver } from "../src/contract/contract.ts";
import { discard } from "./discard.ts";
import { maildirAppend } from "./maildir-append.ts";
import { lmtp } from "./lmtp.ts";
import { smtp } from "./smtp.ts";

const drivers: readonly TransportDriver[] = [maildirAppend, smtp, lmtp, discard];

export const transportDrivers: ReadonlyMap<string, TransportDriver> = new Map(
  drivers.map((driver) => [driver.name, driver]),
);
