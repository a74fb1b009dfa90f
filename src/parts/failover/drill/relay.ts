// The steps of a drill that the running relay carries out, over its control socket.

import { given as present } from "../../../base/given.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { orderOf } from "../command.ts";

export interface DrillRelay {
  /** Gives a step of the drill to the relay. Rejects if no relay answers or it does not do it. */
  order(step: string, account?: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Throws CommandError if no relay runs. */
export async function drillRelay({ relay }: Configuration): Promise<DrillRelay> {
  const order = async (step: string, account?: string) => {
    const answer = await orderOf(relay, "drill", { step, ...present({ account }) });
    if (answer !== undefined) return answer;
    throw new CommandError("no relay runs: start it, because the drill needs it", EXIT.unavailable);
  };
  await order("look");
  return { order };
}
