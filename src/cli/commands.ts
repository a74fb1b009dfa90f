// Every command of relayctl: one flat table. What a command needs is loaded when it runs.

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
import { completionCommand, SHELLS } from "./completion.ts";
import { flagsOf } from "./flags.ts";

const off = (doc: string) => withDefault(flag(doc), false);

/** Flags that stand with every command, before it or behind it. */
export const globalFlags = options({
  config: optional(path("routers.toml (default: $UNSEEN_CONFIG, /etc/unseen/routers.toml)")),
  json: off("print JSON, for programs"),
});

/** What the words in front of a command stand for. */
export const groups: Readonly<Record<string, string>> = {
  queue: "look at the queue, and change it",
};

/** Who writes when nobody is named: a stranger, from addresses that are kept for documentation. */
const STRANGER = { client: "192.0.2.1", sender: "someone@example.net" };

const CHECK_NOTES = `Nothing is delivered and nothing on disk is touched; the DNS is asked in earnest.
Exit status: 0 all recipients are routed, 1 something is deferred, 2 something is refused or fails,
64 wrong usage, 66 a file is missing, 78 the configuration is wrong (all problems are listed).`;

const CHANGE_NOTES = `Messages are named by their ids, or by filters, which must all fit, or by --all. With --recipient or --domain only
these recipients are meant; remove takes whole messages. A message that is being delivered just now is left alone.
Exit status: 0 done, 1 a message is not there or is being delivered just now.`;

const filters = {
  sender: optional(word("address", 'only mail from this address or domain; "" is the null sender')),
  recipient: optional(word("address", "only mail to this address or domain")),
  domain: optional(word("domain", "only mail to this domain")),
  olderThan: optional(duration('only mail that came longer ago: "90s", "15m", "2h", "4d"')),
  youngerThan: optional(duration("only mail that came since then")),
  state: optional(oneOf("only mail in this state", ["active", "deferred", "frozen"])),
};

const CHANGES = {
  retry: "try again now, whatever is known of the hosts; what is frozen is thawed",
  freeze: "no further attempt until it is thawed",
  thaw: "what is frozen goes on",
  bounce: "give up now: what is not delivered has failed, and its sender is told",
  remove: "remove messages for good, without a word to anybody",
} as const;

const holdFlags = options({
  domain: optional(word("domain", "the same, as in the other commands")),
});

export const commands: readonly Command[] = [
  plainCommand({
    name: "serve",
    summary: "run the relay, or one part of it alone, in the foreground; the log goes to stdout",
    argument: "[part]",
    run: async ([part], { config }) =>
      part === undefined
        ? (await import("./serve.ts")).serve(config)
        : (await import("./serve-part.ts")).serveOnePart(part, config),
  }),
  command({
    name: "reload",
    summary: "the running relay reads its configuration again; a wrong one changes nothing",
    flags: options({
      acceptLists: off("believe lists that have lost most of their entries, as they are now"),
    }),
    run: async (_, given) => (await import("./reload.ts")).reloadCommand(given),
  }),
  command({
    name: "check",
    summary:
      "without recipients: is the configuration right? With recipients: what would become of a message?",
    argument: "[recipients...]",
    flags: options({
      from: withDefault(
        word("address", 'envelope sender; "" or "<>" is the null sender'),
        STRANGER.sender,
      ),
      client: withDefault(word("ip", "address of the client"), STRANGER.client),
      helo: optional(word("name", "what the client calls itself"), "its address"),
      tls: off("the client speaks TLS"),
      message: optional(path("judge this message too, as at the end of DATA")),
    }),
    notes: CHECK_NOTES,
    run: async (recipients, given) => (await import("./check.ts")).checkCommand(recipients, given),
  }),
  command({
    name: "trace",
    summary: "what happened to a message, in order; or to all mail from and to an address",
    argument: "<id|address>",
    flags: options({
      since: optional(duration("only what happened so long ago at most")),
      limit: withDefault(integer("so many stories of an address, the newest", 1, 999_999_999), 10),
    }),
    run: async ([what = ""], given) => (await import("./trace.ts")).traceCommand(what, given),
  }),
  command({
    name: "queue list",
    summary: "messages that wait, oldest first",
    flags: options(filters),
    run: async (_, given) => (await import("./queue/list.ts")).queueList(given),
  }),
  command({
    name: "queue count",
    summary: "how many messages wait, by state",
    flags: options(filters),
    run: async (_, given) => (await import("./queue/list.ts")).queueCount(given),
  }),
  command({
    name: "queue show",
    summary: "one message: envelope, recipients, what is done, header",
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
    summary: "mail for a domain waits; without one, which domains are on hold",
    argument: "[domain]",
    flags: holdFlags,
    run: async ([domain], given) => (await import("./queue/hold.ts")).queueHold(domain, given),
  }),
  command({
    name: "queue release",
    summary: "mail for a domain goes on",
    argument: "[domain]",
    flags: holdFlags,
    run: async ([domain], given) => (await import("./queue/hold.ts")).queueRelease(domain, given),
  }),
  ...parts.flatMap((part) => part.commands),
  plainCommand({
    name: "completion",
    summary: `a script that completes these commands: ${SHELLS.join(" or ")}`,
    argument: "<shell>",
    run: async ([shell = ""]) =>
      completionCommand(shell, { commands, flags: flagsOf(globalFlags) }),
  }),
];
