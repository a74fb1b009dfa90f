// unseen-copy: accept with `unseen` on. The copy is delivered, and the address goes on to the next router as if
// nothing had happened: the idea that the relay has its name from.

import { options, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";

const unseenCopyOptions = options({
  transport: transportName("Delivers the copy."),
});

/**
 * Decisions:
 * - accept: always; `unseen` is true unless the file says otherwise, so the chain goes on with a clone.
 */
export const unseenCopy: RouterDriver<Values<typeof unseenCopyOptions>> = {
  name: "unseen-copy",
  options: unseenCopyOptions,
  defaults: { unseen: true },
  create({ transport }) {
    const decision: Decision = { kind: "accept", transport };
    return { route: () => decision };
  },
};
