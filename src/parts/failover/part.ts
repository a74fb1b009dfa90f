// The part for fail-over: while Google is gone, mail for it waits, and the Maildirs are the mailboxes.

import { isTable } from "../../base/table.ts";
import { word } from "../../contract/command.ts";
import { flag, nested, oneOf, optional, options, withDefault } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";
import { failOverEvents } from "./events.ts";
import { FailOver } from "./failover.ts";
import { DOVECOT_VERSIONS, failOverOptions } from "./options.ts";

const ON_NOTES = `Without a running relay, it is in force at the next start. docs/failover.md says
what comes before and after it.
Exit status: 0 fail-over is on, 78 the configuration is wrong or has no [failover].`;

const OFF_NOTES = `With --keep-local, Google does not come back: waiting mail is settled as delivered
once the copy of its recipient was found in its Maildir and compared. Mail without
a copy stays. Fail-over stays on, and new mail is settled in the same way.
Exit status: 0 done, 1 fail-over is off or mail had to stay, 69 no relay runs
(with --keep-local), 78 the configuration is wrong.`;

const DOVECOT_NOTES = `Prints a complete dovecot.conf for the Maildirs of routers.toml, with the users of
relayctl users and the certificate of the first listener that has one. The
Maildirs are served read-only: no byte of a copy changes, and no file is added.
With --write-access, users may flag, move and delete their mail.
Exit status: 0, 78 the configuration is wrong or has no Maildirs for Dovecot.`;

const STATUS_NOTES = `Works without a running relay.
Exit status: 0, 78 the configuration is wrong.`;

export const failOver = part({
  name: "failover",
  groups: { failover: "let mail for Google wait while Google is gone, and release it" },
  sections: {
    failover: optional(
      nested(
        "Fail-over: the transports that `relayctl failover` lets wait while Google is gone. Without this table there is no fail-over.",
        failOverOptions,
      ),
    ),
  },
  events: failOverEvents,
  commands: [
    partCommand({
      name: "failover on",
      summary: "let mail for Google wait from now on, without warnings and without bounces",
      flags: options({ why: optional(word("text", "the reason, for the log and the status")) }),
      notes: ON_NOTES,
      run: async (_, given, means) => (await import("./command.ts")).failOverOn(given, means),
    }),
    partCommand({
      name: "failover off",
      summary: "deliver the mail that waits, oldest first, at the release rate",
      flags: options({
        keepLocal: withDefault(
          flag("settle the mail that waits by its copies, and send nothing"),
          false,
        ),
      }),
      notes: OFF_NOTES,
      run: async (_, given, means) => (await import("./command.ts")).failOverOff(given, means),
    }),
    partCommand({
      name: "failover status",
      summary: "show whether mail waits, for whom, and whether people can work meanwhile",
      flags: options({}),
      notes: STATUS_NOTES,
      run: async (_, given, means) => (await import("./status.ts")).failOverStatus(given, means),
    }),
    partCommand({
      name: "dovecot-config",
      summary: "print the configuration of a Dovecot that serves the Maildirs",
      flags: options({
        version: optional(
          oneOf("the version of Dovecot", DOVECOT_VERSIONS),
          "that of the installed Dovecot, else 2.3",
        ),
        writeAccess: withDefault(flag("let users change their mail, for a long fail-over"), false),
      }),
      notes: DOVECOT_NOTES,
      run: async (_, given, means) =>
        (await import("./dovecot-config.ts")).dovecotConfig(given, means),
    }),
  ],
  start(means) {
    if (means.readOnly) return {};
    let running: FailOver | undefined;
    const started = () => {
      if (running === undefined) throw new Error("the relay is starting");
      return running;
    };
    return {
      async begin(generation, mail) {
        running = new FailOver(means, generation, mail);
        await running.begin();
      },
      follow: (generation) => running?.follow(generation),
      close: async () => running?.close(),
      orders: {
        on: async (order) => started().on(whyIn(order)),
        off: async () => started().off(),
        "keep-local": async () => started().keepLocal(),
      },
    };
  },
});

function whyIn(order: unknown): string | undefined {
  const why = isTable(order) ? order["why"] : undefined;
  return typeof why === "string" ? why : undefined;
}
