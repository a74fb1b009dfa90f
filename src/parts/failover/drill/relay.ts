// The steps of a drill that the running relay carries out, over its control socket.

import { setTimeout as sleep } from "node:timers/promises";
import { given as present } from "../../../base/given.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { orderOf } from "../command.ts";

/** Milliseconds for an answer. At the end, mail under attempt may take ten seconds. */
const PATIENCE = 12_000;
const SILENT = Symbol("silent");

export interface DrillRelay {
  /** Gives a step of the drill to the relay. Rejects if no relay answers or it does not do it. */
  order(step: string, account?: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Throws CommandError if no relay runs. */
export async function drillRelay({ relay }: Configuration): Promise<DrillRelay> {
  const order = async (step: string, account?: string) => {
    const asked = orderOf(relay, "drill", { step, ...present({ account }) });
    const answer = await Promise.race([asked, sleep(PATIENCE, SILENT, { ref: false })]);
    if (answer === SILENT) {
      const what = `the relay gives no answer within ${PATIENCE / 1000} s`;
      throw new CommandError(what, EXIT.unavailable);
    }
    if (answer !== undefined) return answer;
    throw new CommandError("no relay runs: start it, because the drill needs it", EXIT.unavailable);
  };
  await order("look");
  return { order };
}
