// Everything that the routes share.

import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { SharedLogins } from "../../users/shared-logins.ts";
import type { ClientAddresses } from "./client-address.ts";
import type { Cookies } from "./cookies.ts";
import type { Entries } from "./entry.ts";
import type { Mail } from "./mail.ts";
import type { WebOptions } from "./options.ts";
import type { SafeHtmlThread } from "./safe-html-thread.ts";
import type { SecondFactors } from "./second-factor.ts";
import type { Sessions } from "./sessions.ts";

export interface Site {
  readonly options: WebOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly logins: Pick<SharedLogins, "login" | "find" | "findNow">;
  /** The path of the users file. */
  readonly usersFile: string;
  readonly sessions: Sessions;
  readonly entries: Entries;
  readonly factors: SecondFactors;
  readonly clients: ClientAddresses;
  readonly cookies: Cookies;
  readonly mail: Mail;
  readonly safeHtml: SafeHtmlThread;
}
