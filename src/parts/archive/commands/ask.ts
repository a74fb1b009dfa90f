// How the commands of the archive ask it: a verb and an order, and the values of the answer as they come.

import { systemClock } from "../../../base/clock.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { operations } from "../operations/operations.ts";
import { ask } from "../service/service.ts";

/** The caller of an operation in this process sees its answer or its error, so the log is empty. */
const silent = { event: () => undefined };

/** Throws CommandError with the exit code of the command. */
export async function* askArchive(
  means: Pick<CommandMeans, "configuration">,
  verb: string,
  order: object,
): AsyncGenerator<object, void> {
  const asked = operations.get(verb);
  if (asked === undefined) throw new CommandError(`no operation "${verb}"`, EXIT.software);
  yield* ask(await means.configuration(), asked, order, { clock: systemClock, log: silent });
}
