// The part for proxies: POP3, IMAP and SMTP servers of others, with TLS in front of them and copies of what passes.

import { options, tables, withDefault } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";
import { directoriesOf } from "./copies/copies.ts";
import { proxyEvents } from "./events.ts";
import { proxyOptions } from "./options.ts";
import { usedOf, warningsOf } from "./warnings.ts";

const STATUS_NOTES = `"kept" counts the messages that were ever kept. "new", "known" and "failed" count since the
start of the process: kept now, kept before, and not kept.
Exit status: 0, 69 no process of the proxies answers, 78 the configuration is
wrong or has no [[proxies]].`;

export const proxies = part({
  name: "proxies",
  sections: {
    proxies: withDefault(
      tables(
        "Proxies in front of POP3, IMAP and SMTP servers: TLS for mail programs, and copies of the mail that passes. They run in a process of their own.",
        proxyOptions,
      ),
      [],
    ),
  },
  groups: { proxies: "proxies in front of POP3, IMAP and SMTP servers" },
  commands: [
    partCommand({
      name: "proxies status",
      summary: "show the sessions of the proxies, and what they have kept",
      flags: options({}),
      notes: STATUS_NOTES,
      run: async (_, given, means) =>
        (await import("./status-command.ts")).proxiesStatus(given, means),
    }),
  ],
  events: proxyEvents,
  warnings: warningsOf,
  process: {
    isWanted: ({ proxies: own }) => own.length > 0,
    addresses: ({ proxies: own }) => own.map(({ address }) => address),
    directories: ({ proxies: own }, configuration) => directoriesOf(own, configuration),
    uses: usedOf,
    serve: async ({ sections: { proxies: own }, configuration, ...means }) =>
      (await import("./process.ts")).serve(own, configuration, means),
  },
});
