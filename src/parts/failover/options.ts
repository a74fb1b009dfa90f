// [failover]: the transports whose mail waits while Google is gone.

import type { Configuration } from "../../config/configuration.ts";
import {
  list,
  listenAddress,
  options,
  rate,
  type Values,
  withCheck,
  withDefault,
} from "../../options/options.ts";

const declaredOptions = options({
  transports: list(
    "The transports whose mail waits while fail-over is on: those that deliver to Google.",
    undefined,
    { type: "list of transports", refersTo: "transport" },
  ),
  release_rate: withDefault(
    rate("The rate at which waiting mail is delivered to each recipient when fail-over ends."),
    "1/1s",
  ),
  imap: withDefault(
    listenAddress(
      "The Dovecot that `failover status` and `failover drill` ask: its address and port for IMAP over TLS. The name in its certificate is not checked.",
    ),
    "127.0.0.1:993",
  ),
});

export const failOverOptions = withCheck(declaredOptions, ({ transports }, report) => {
  if (transports.length === 0) report("transports", "names no transport");
});

export type FailOverOptions = Values<typeof failOverOptions>;

/** The options in force; undefined without [failover]. */
export function failOverOf({ parts }: Pick<Configuration, "parts">): FailOverOptions | undefined {
  const table = parts["failover"];
  return isFailOver(table) ? table : undefined;
}

/** The loader has read the table by `failOverOptions`. */
function isFailOver(table: unknown): table is FailOverOptions {
  return table !== undefined;
}

/** The versions of Dovecot that `dovecot-config` writes for, the older first. */
export const DOVECOT_VERSIONS = ["2.3", "2.4"] as const;
