// Every router that comes with the relay, by its name for `driver` in routers.toml. A third party's router is
// loaded from its file or package, with the same contract.

import type { RouterDriver } from "../src/contract/contract.ts";
import { accept } from "./accept.ts";
import { dnslookup } from "./dnslookup.ts";
import { ipliteral } from "./ipliteral.ts";
import { manualroute } from "./manualroute.ts";
import { redirect } from "./redirect.ts";
import { senderMatch } from "./sender-match.ts";
import { unseenCopy } from "./unseen-copy.ts";

const drivers: readonly RouterDriver[] = [
  accept,
  unseenCopy,
  senderMatch,
  redirect,
  dnslookup,
  manualroute,
  ipliteral,
];

export const routerDrivers: ReadonlyMap<string, RouterDriver> = new Map(
  drivers.map((driver) => [driver.name, driver]),
);
