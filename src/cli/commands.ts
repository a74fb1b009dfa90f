// Every command of relayctl, in one flat table. The code of a command is loaded when the command runs.

import { isTable } from "../base/table.ts";
import { type Command, command, plainCommand, word } from "../contract/command.ts";
import {
  duration,
  flag,
  integer,
  oneOf,
  optional,
  options,
  path,
  withDefault,
} from "../options/options.ts";
import { parts } from "../parts.ts";
import type { PartCommand } from "../parts/part.ts";
import { completionCommand, SHELLS } from "./completion.ts";
import { flagsOf } from "./flags.ts";

const off = (doc: string) => withDefault(flag(doc), false);

/** Flags of every command, written before or after its words. */
export const globalFlags = options({
  config: optional(path("routers.toml (default: $UNSEEN_CONFIG, /etc/unseen/routers.toml)")),
  json: off("print JSON, for programs"),
});

/** Descriptions of the first words that several commands share. */
export const groups: Readonly<Record<string, string>> = {
  queue: "show and change the queue",
  hosts: "show and refresh the host lists",
  ...Object.assign({}, ...parts.map((part) => part.groups)),
};

/** A command of a part as a command of relayctl. */
export function withConfiguration(own: PartCommand): Command {
  return {
    ...own,
    run: async (words, given) => {
      const { commandMeans } = await import("./part-means.ts");
      return own.run(words, given, commandMeans(configOf(given)));
    },
  };
}

/** The value of `--config`, which the flags of every command contain. */
function configOf(given: unknown): string | undefined {
  return isTable(given) && typeof given["config"] === "string" ? given["config"] : undefined;
}

/** The default client and sender of a dry run: an outside client, with addresses reserved for documentation. */
const STRANGER = { client: "192.0.2.1", sender: "someone@example.net" };

const CHECK_NOTES = `Nothing is delivered and nothing on disk is changed. Real DNS queries are sent.

Exit status: 0 all recipients are routed, 1 a recipient or the message is deferred, 2 one is refused or fails,
64 wrong usage, 66 a file is missing, 78 the configuration is wrong (all problems are listed).`;

const CHANGE_NOTES = `Name messages by their ids, by filters (a message must match all of them), or by --all. With --recipient or
--domain, only these recipients are changed, but remove takes whole messages. A message under attempt is left alone.

Exit status: 0 done, 1 a message does not exist or is under attempt.`;

const filters = {
  sender: optional(word("address", 'only mail from this address or domain; "" is the null sender')),
  recipient: optional(word("address", "only mail to this address or domain")),
  domain: optional(word("domain", "only mail to this domain")),
  olderThan: optional(
    duration('only mail received longer ago than this: "90s", "15m", "2h", "4d"'),
  ),
  youngerThan: optional(duration("only mail received within this time")),
  state: optional(oneOf("only mail in this state", ["active", "deferred", "frozen"])),
};

const CHANGES = {
  retry: "try again now, also at hosts that have failed; thaws frozen recipients",
  freeze: "keep, without further attempts until thaw or retry",
  thaw: "resume the delivery of frozen recipients",
  bounce: "give up now: undelivered recipients fail, and their sender is told",
  remove: "delete messages for good, without telling their senders",
} as const;

const holdFlags = options({
  domain: optional(word("domain", "the domain, in place of the argument")),
});

export const commands: readonly Command[] = [
  plainCommand({
    name: "serve",
    summary: "run the relay, or one part of it alone, in the foreground, with the log on stdout",
    argument: "[part]",
    run: async ([part], { config }) =>
      part === undefined
        ? (await import("./serve.ts")).serve(config)
        : (await import("./serve-part.ts")).serveOnePart(part, config),
  }),
  command({
    name: "reload",
    summary:
      "apply a changed configuration without interrupting mail; if it has an error, the running one stays",
    flags: options({
      acceptLists: off("believe lists as they are now, even if most of their entries are gone"),
    }),
    run: async (_, given) => (await import("./reload.ts")).reloadCommand(given),
  }),
  command({
    name: "check",
    summary:
      "check the configuration; with recipients, predict what the relay would do with a message for them",
    argument: "[recipients...]",
    flags: options({
      from: withDefault(
        word("address", 'envelope sender; "" or "<>" is the null sender'),
        STRANGER.sender,
      ),
      client: withDefault(word("ip", "address of the client"), STRANGER.client),
      helo: optional(word("name", "the name that the client gives in HELO"), "its address"),
      tls: off("the client speaks TLS"),
      message: optional(path("judge this message too, as at the end of DATA")),
    }),
    notes: CHECK_NOTES,
    run: async (recipients, given) => (await import("./check.ts")).checkCommand(recipients, given),
  }),
  command({
    name: "trace",
    summary: "show the events of a message in order, or those of all mail from and to an address",
    argument: "<id|address>",
    flags: options({
      since: optional(duration("only mail whose last event is within this time")),
      limit: withDefault(
        integer("show at most this many messages of an address, newest first", 1, 999_999_999),
        10,
      ),
    }),
    run: async ([what = ""], given) => (await import("./trace.ts")).traceCommand(what, given),
  }),
  command({
    name: "queue list",
    summary: "list the messages in the queue, oldest first",
    flags: options(filters),
    run: async (_, given) => (await import("./queue/list.ts")).queueList(given),
  }),
  command({
    name: "queue count",
    summary: "count the messages in the queue, by state",
    flags: options(filters),
    run: async (_, given) => (await import("./queue/list.ts")).queueCount(given),
  }),
  command({
    name: "queue show",
    summary: "show one message: envelope, recipients, finished deliveries, header",
    argument: "<id>",
    flags: options({ body: off("print the message itself, byte for byte") }),
    run: async ([id = ""], given) => (await import("./queue/show.ts")).queueShow(id, given),
  }),
  ...(["retry", "freeze", "thaw", "bounce", "remove"] as const).map((action) =>
    command({
      name: `queue ${action}`,
      summary: CHANGES[action],
      argument: "[ids...]",
      flags: options({ ...filters, all: off("everything in the queue") }),
      notes: CHANGE_NOTES,
      run: async (ids, given) =>
        (await import("./queue/change.ts")).queueChange(action, ids, given),
    }),
  ),
  command({
    name: "queue hold",
    summary: "hold back mail for a domain; without a domain, list those on hold",
    argument: "[domain]",
    flags: holdFlags,
    run: async ([domain], given) => (await import("./queue/hold.ts")).queueHold(domain, given),
  }),
  command({
    name: "queue release",
    summary: "end the hold of a domain",
    argument: "[domain]",
    flags: holdFlags,
    run: async ([domain], given) => (await import("./queue/hold.ts")).queueRelease(domain, given),
  }),
  plainCommand({
    name: "hosts show",
    summary: "show what the lists of [hosts] hold now, from which record, and how old it is",
    argument: "[name]",
    run: async ([name], given) => (await import("./hosts/hosts.ts")).hostsShow(name, given),
  }),
  plainCommand({
    name: "hosts refresh",
    summary: "ask the DNS again for the lists of [hosts], and tell the running relay",
    argument: "[name]",
    run: async ([name], given) => (await import("./hosts/hosts.ts")).hostsRefresh(name, given),
  }),
  ...parts.flatMap((part) => part.commands.map(withConfiguration)),
  plainCommand({
    name: "completion",
    summary: `print a script with which the shell completes these commands: ${SHELLS.join(" or ")}`,
    argument: "<shell>",
    run: async ([shell = ""]) =>
      completionCommand(shell, { commands, flags: flagsOf(globalFlags) }),
  }),
];
