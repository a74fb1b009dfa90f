// The command line: which commands there are, and their options. The only module that knows commander.

import { Command, CommanderError } from "commander";
import { describeError } from "../log.ts";
import { CommandError, EXIT } from "./exit.ts";
import { serve } from "./serve.ts";

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
  return program;
}
