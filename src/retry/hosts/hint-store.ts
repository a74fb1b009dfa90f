// The store of hints in the spool, and the way to wake recipients that wait there.

import type { HintStore } from "./hosts.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { Spool } from "../../spool/spool.ts";

/** If a hint cannot be saved, or no recipient can be woken, the store logs that and goes on. */
export function hintStore(
  spool: Pick<Spool, "saveHint" | "wake">,
  queue: { wake(): void },
  log: Log,
): HintStore {
  const failed = (error: unknown) => log.event("spool.failed", { error: describeError(error) });
  return {
    saveHint: (key, hint) => void spool.saveHint(key, hint).catch(failed),
    async wake(key, most) {
      try {
        const woken = await spool.wake(key, most);
        if (woken > 0) queue.wake();
        return woken;
      } catch (error) {
        failed(error);
        return 0;
      }
    },
  };
}
