// relayctl serve PART: runs one part in the foreground, for a systemd unit of its own. `relayctl serve` runs the same
// as its child.

import { systemClock } from "../base/clock.ts";
import { createLog, describeError } from "../observe/log.ts";
import { parts } from "../parts.ts";
import { servePart } from "../run/serve-part.ts";
import { requireConfiguration } from "./configuration-file.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { LogOutput } from "./log-output.ts";
import { whyNotStarted } from "./serve.ts";

/** Milliseconds that a reader of the log has for the last lines. */
const LOG_PATIENCE = 2000;

/** Resolves when a signal has stopped the part. */
export async function serveOnePart(name: string, configFile: string | undefined): Promise<number> {
  const part = parts.find((one) => one.name === name && one.process !== undefined);
  if (part === undefined) {
    const known = parts.filter(({ process: own }) => own !== undefined).map((one) => one.name);
    const which = known.length === 0 ? "no part has one" : `these have: ${known.join(", ")}`;
    throw new CommandError(`"${name}" is no part with a process of its own; ${which}`, EXIT.usage);
  }
  const configuration = await requireConfiguration(configFile);
  const output = new LogOutput(1);
  const log = createLog(systemClock, output);
  process.on("uncaughtException", (error) => {
    log.event("relay.error", { where: name, error: describeError(error) });
    output.flushNow();
    process.exit(EXIT.software);
  });
  try {
    await servePart(part, configuration, { clock: systemClock, log });
  } catch (error) {
    throw new CommandError(whyNotStarted(error), EXIT.unavailable);
  } finally {
    await output.flush(LOG_PATIENCE);
  }
  return EXIT.ok;
}
