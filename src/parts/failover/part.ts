// The part for fail-over: while Google is gone, mail for it waits, and the Maildirs are the mailboxes.

import type { MaybePromise } from "../../base/maybe-promise.ts";
import { isTable } from "../../base/table.ts";
import { word } from "../../contract/command.ts";
import { flag, nested, oneOf, optional, options, withDefault } from "../../options/options.ts";
import { type EventHandlers, part, partCommand } from "../part.ts";
import { DrillInRelay } from "./drill/relay-side.ts";
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

const DRILL_NOTES = `Makes a user and an account unseen-drill@ the first local domain for its time, logs in
at Dovecot, sends test messages to itself by submission, lets them wait and releases
them. It takes at most 90 seconds, and touches no mail of users: only the drill's
mail waits. The user, the account and their mail are removed at the end, also after
an error or a signal. If fail-over is on already, it stays on.
Exit status: 0 all worked, 1 a step failed or the address belongs to somebody,
69 no relay runs, 78 the configuration is wrong or has no [failover].`;

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
      name: "failover drill",
      summary: "rehearse a fail-over with an account of its own, and report what worked",
      flags: options({}),
      notes: DRILL_NOTES,
      run: async (_, given, means) =>
        (await import("./drill/drill.ts")).failOverDrill(given, means),
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
    let drill: DrillInRelay | undefined;
    const started = () => {
      if (running === undefined) throw new Error("the relay is starting");
      return running;
    };
    return {
      hears: hearing(() => drill?.hears),
      async begin(generation, mail) {
        const begun = new FailOver(means, generation, mail);
        running = begun;
        await begun.begin();
        drill = new DrillInRelay(means, mail, () => begun.settings);
        await drill.start();
      },
      follow: (generation) => running?.follow(generation),
      async close() {
        await running?.close();
        await drill?.close();
      },
      orders: {
        drill: async (order) => drillOrder(drill, order),
        on: async (order) => started().on(whyIn(order)),
        off: async () => started().off(),
        "keep-local": async () => started().keepLocal(),
      },
    };
  },
});

/** The handlers of the drill, which begins after the part has started. */
function hearing(drill: () => EventHandlers | undefined): EventHandlers {
  return {
    "message.accepted": (fields) => drill()?.["message.accepted"]?.(fields),
    "delivery.done": (fields) => drill()?.["delivery.done"]?.(fields),
    "delivery.deferred": (fields) => drill()?.["delivery.deferred"]?.(fields),
    "delivery.failed": (fields) => drill()?.["delivery.failed"]?.(fields),
  };
}

/** Carries out a step of relayctl failover drill. */
function drillOrder(drill: DrillInRelay | undefined, order: unknown): MaybePromise<object> {
  if (drill === undefined) throw new Error("the relay is starting");
  const { step, account } = isTable(order) ? order : {};
  switch (step) {
    case "begin":
      return drill.begin(String(account));
    case "on":
      return drill.on();
    case "off":
      return drill.off();
    case "look":
      return drill.look();
    case "end":
      return drill.end();
    default:
      throw new Error("this step of a drill is not known");
  }
}

function whyIn(order: unknown): string | undefined {
  const why = isTable(order) ? order["why"] : undefined;
  return typeof why === "string" ? why : undefined;
}
