// The command line: which commands there are, and their options. The only module that knows commander.

import { Command, CommanderError } from "commander";
import { describeError } from "../log.ts";
import { checkCommand, type CheckOptions, DEFAULT_CLIENT, DEFAULT_SENDER } from "./check.ts";
import { CommandError, EXIT } from "./exit.ts";
import { serve } from "./serve.ts";

const CHECK_HELP = `
Nothing is delivered and nothing on disk is touched; the DNS is asked in earnest.
Exit status: 0 all recipients are routed, 1 something is deferred, 2 something is refused or fails,
64 wrong usage, 66 a file is missing, 78 the configuration is wrong (all problems are listed).`;

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
    process.stderr.write(`${known ? error.message : `relayctl: ${describeError(error)}`}\n`);
    return known ? error.exitCode : EXIT.software;
  }
}

function createProgram(exit: (code: number) => void): Command {
  const program = new Command("relayctl")
    .description("unseen: an MX relay that keeps a Maildir copy of every message in and out")
    .option("--config <file>", "routers.toml (default: $UNSEEN_CONFIG, /etc/unseen/routers.toml)")
    .option("--json", "print JSON, for programs")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  program
    .command("serve")
    .description("run the relay in the foreground; the log goes to stdout")
    .action(async (_, command: Command) => {
      exit(await serve(command.optsWithGlobals<GlobalOptions>().config));
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
  return program;
}
