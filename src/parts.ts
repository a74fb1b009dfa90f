// The table of parts: one line each. Parts that offer services come before the parts that use them.

import { accounts } from "./parts/accounts/part.ts";
import { archive } from "./parts/archive/part.ts";
import { coverage } from "./parts/coverage/part.ts";
import { dkim } from "./parts/dkim/part.ts";
import { doctorPart } from "./parts/doctor/part.ts";
import { failOver } from "./parts/failover/part.ts";
import { mtaSts } from "./parts/mta-sts/part.ts";
import type { Part } from "./parts/part.ts";
import { postmasterList } from "./parts/postmaster-list/part.ts";
import { proxies } from "./parts/proxies/part.ts";
import { setUp } from "./parts/setup/part.ts";
import { submission } from "./parts/submission/part.ts";
import { tlsReports } from "./parts/tls-reports/part.ts";
import { users } from "./parts/users/part.ts";
import { web } from "./parts/web/part.ts";

export const parts: readonly Part[] = [
  tlsReports,
  mtaSts,
  postmasterList,
  accounts,
  setUp,
  doctorPart,
  coverage,
  users,
  failOver,
  dkim,
  submission,
  archive,
  web,
  proxies,
];
