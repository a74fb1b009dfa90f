// The calls of the spool about mail that waits, or has waited, for the release of a transport on hold.

import type { Clock } from "../../base/clock.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import type { Spool } from "../spool.ts";
import type { Answers, Call } from "./thread.ts";
import type { StoredWithheld } from "./withheld.ts";

type Ask = <C extends Call>(call: C) => Promise<Answers[C["name"]]>;

export type WithheldCalls = Pick<
  Spool,
  "withheld" | "releaseWithheld" | "releasedWithheld" | "hasten"
>;

export function withheldCalls(ask: Ask, clock: Clock): WithheldCalls {
  return {
    async withheld(most, after) {
      const { position = -1, id } = after ?? {};
      const from = { after: id === undefined ? 0 : idNumber(id), position };
      return (await ask({ name: "withheld", most, ...from })).map(withheldOf);
    },
    releaseWithheld(which, forced) {
      const keys = which.map(({ id, position }) => ({ message: idNumber(id), position }));
      return ask({
        name: "releaseWithheld",
        which: keys,
        forced: forced === true,
        now: clock.now(),
      });
    },
    async releasedWithheld(most) {
      const { untried, atHosts } = await ask({ name: "releasedWithheld", most });
      return { untried: untried.map(withheldOf), atHosts };
    },
    async hasten(most, after) {
      const from = { after: after === undefined ? 0 : idNumber(after) };
      const last = await ask({ name: "hasten", most, ...from, now: clock.now() });
      return last === undefined ? undefined : idText(last);
    },
  };
}

function withheldOf({ message, ...rest }: StoredWithheld) {
  return { id: idText(message), ...rest };
}
