// unseen-copy: accept with `unseen` on. The copy is delivered, and the next router is asked about the address as if the
// copy did not exist. The relay is named after this idea.

import { options, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";

const unseenCopyOptions = options({
  transport: transportName("The transport that delivers the copy."),
});

/**
 * Decisions:
 * - accept: always. `unseen` is true by default, so the chain goes on with the address.
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
