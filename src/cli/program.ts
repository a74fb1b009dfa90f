// The command line: which commands there are, and their options. The only module that knows commander.

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../options/kinds.ts";
import { describeError } from "../observe/log.ts";
import { printable } from "../base/printable.ts";
import { checkCommand, type CheckOptions, DEFAULT_CLIENT, DEFAULT_SENDER } from "./check.ts";
import { CommandError, EXIT } from "./exit.ts";
import { type ChangeAction, type ChangeOptions, queueChange } from "./queue/change.ts";
import { type HoldOptions, queueHold, queueRelease } from "./queue/hold.ts";
import { type ListOptions, queueCount, queueList } from "./queue/list.ts";
import { queueShow, type ShowOptions } from "./queue/show.ts";
import { reloadCommand, type ReloadOptions } from "./reload.ts";
import { serve } from "./serve.ts";
import { warn } from "../base/terminal.ts";
import { traceCommand, type TraceOptions } from "./trace.ts";

const CHECK_HELP = `
Nothing is delivered and nothing on disk is touched; the DNS is asked in earnest.
Exit status: 0 all recipients are routed, 1 something is deferred, 2 something is refused or fails,
64 wrong usage, 66 a file is missing, 78 the configuration is wrong (all problems are listed).`;

const CHANGES: readonly (readonly [action: ChangeAction, description: string])[] = [
  ["retry", "try again now, whatever is known of the hosts; what is frozen is thawed"],
  ["freeze", "no further attempt until it is thawed"],
  ["thaw", "what is frozen goes on"],
  ["bounce", "give up now: what is not delivered has failed, and its sender is told"],
  ["remove", "remove messages for good, without a word to anybody"],
];

const CHANGE_HELP = `
Messages are named by their ids, or by filters, which must all fit, or by --all. With --recipient or --domain only
these recipients are meant; remove takes whole messages. A message that is being delivered just now is left alone.
Exit status: 0 done, 1 a message is not there or is being delivered just now.`;

interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** Runs one command and returns the exit code of the process. */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said already what is wrong with the usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const known = error instanceof CommandError;
    warn(known ? error.message : `relayctl: ${describeError(error)}`);
    return known ? error.exitCode : EXIT.software;
  }
}

/** Commander quotes the argument that is wrong, and may have a suggestion in a line of its own. */
function usageErrorText(text: string): string {
  return text
    .trimEnd()
    .split(/\n(?=\(Did you mean )/)
    .map(printable)
    .join("\n");
}

type Exit = (code: number) => void;

function createProgram(exit: Exit): Command {
  const program = new Command("relayctl")
    .description("unseen: an MX relay that keeps a Maildir copy of every message in and out")
    .option("--config <file>", "routers.toml (default: $UNSEEN_CONFIG, /etc/unseen/routers.toml)")
    .option("--json", "print JSON, for programs")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text) => warn(usageErrorText(text)) })
    .exitOverride();
  program
    .command("serve")
    .description("run the relay in the foreground; the log goes to stdout")
    .action(async (_, command: Command) => {
      exit(await serve(command.optsWithGlobals<GlobalOptions>().config));
    });
  program
    .command("reload")
    .description("the running relay reads its configuration again; a wrong one changes nothing")
    .option("--accept-lists", "believe lists that have lost most of their entries, as they are now")
    .action(async (_, command: Command) => {
      exit(await reloadCommand(command.optsWithGlobals<ReloadOptions>()));
    });
  program
    .command("check")
    .description(
      "without recipients: is the configuration right? With recipients: what would become of a message?",
    )
    .argument("[recipients...]", "envelope recipients")
    .option("--from <address>", 'envelope sender; "" or "<>" is the null sender', DEFAULT_SENDER)
    .option("--client <ip>", "address of the client", DEFAULT_CLIENT)
    .option("--helo <name>", "what the client calls itself (default: its address)")
    .option("--tls", "the client speaks TLS")
    .option("--message <file>", "judge this message too, as at the end of DATA")
    .addHelpText("after", CHECK_HELP)
    .action(async (recipients: string[], _, command: Command) => {
      exit(await checkCommand(recipients, command.optsWithGlobals<CheckOptions>()));
    });
  program
    .command("trace")
    .description("what happened to a message, in order; or to all mail from and to an address")
    .argument("<id|address>")
    .option("--since <duration>", "only what happened so long ago at most", parsedDuration)
    .option("--limit <count>", "so many stories of an address, the newest", parsedCount, 10)
    .action(async (what: string, _, command: Command) => {
      exit(await traceCommand(what, command.optsWithGlobals<TraceOptions>()));
    });
  const queue = program.command("queue").description("look at the queue, and change it");
  addQueue(queue, exit);
  addHolds(queue, exit);
  return program;
}

function addQueue(queue: Command, exit: Exit): void {
  withFilters(queue.command("list").description("messages that wait, oldest first")).action(
    async (_, command: Command) => {
      exit(await queueList(command.optsWithGlobals<ListOptions>()));
    },
  );
  withFilters(queue.command("count").description("how many messages wait, by state")).action(
    async (_, command: Command) => {
      exit(await queueCount(command.optsWithGlobals<ListOptions>()));
    },
  );
  queue
    .command("show")
    .description("one message: envelope, recipients, what is done, header")
    .argument("<id>")
    .option("--body", "print the message itself, byte for byte")
    .action(async (id: string, _, command: Command) => {
      exit(await queueShow(id, command.optsWithGlobals<ShowOptions>()));
    });
  for (const [action, description] of CHANGES) {
    withFilters(queue.command(action).description(description).argument("[ids...]"))
      .option("--all", "everything in the queue")
      .addHelpText("after", CHANGE_HELP)
      .action(async (ids: string[], _, command: Command) => {
        const options = command.optsWithGlobals<ChangeOptions>();
        exit(await queueChange(action, ids, options));
      });
  }
}

function addHolds(queue: Command, exit: Exit): void {
  queue
    .command("hold")
    .description("mail for a domain waits; without one, which domains are on hold")
    .argument("[domain]")
    .option("--domain <domain>", "the same, as in the other commands")
    .action(async (domain: string | undefined, _, command: Command) => {
      exit(await queueHold(domain, command.optsWithGlobals<HoldOptions>()));
    });
  queue
    .command("release")
    .description("mail for a domain goes on")
    .argument("[domain]")
    .option("--domain <domain>", "the same, as in the other commands")
    .action(async (domain: string | undefined, _, command: Command) => {
      exit(await queueRelease(domain, command.optsWithGlobals<HoldOptions>()));
    });
}

function withFilters(command: Command): Command {
  return command
    .option("--sender <address>", 'only of this address or domain; "" is the null sender')
    .option("--recipient <address>", "only for this address or domain")
    .option("--domain <domain>", "only for this domain")
    .option("--older-than <duration>", 'only older ones: "90s", "15m", "2h", "4d"', parsedDuration)
    .option("--younger-than <duration>", "only younger ones", parsedDuration)
    .addOption(
      new Option("--state <state>", "only these").choices(["active", "deferred", "frozen"]),
    );
}

function parsedDuration(written: string): number {
  const age = parseDuration(written);
  if (age === undefined)
    throw new InvalidArgumentError('It must be like "90s", "15m", "2h", "4d".');
  return age;
}

function parsedCount(written: string): number {
  if (/^[1-9]\d{0,8}$/.test(written)) return Number(written);
  throw new InvalidArgumentError("It must be a number from 1.");
}
