// accept: takes every address that passes its preconditions. Its only option is its transport,
// so it is the driver to read first, and the one to copy for a new driver.

import { options, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";

const acceptOptions = options({
  transport: transportName("The transport for the addresses that this router accepts."),
});

/**
 * Decisions:
 * - accept: always.
 */
export const accept: RouterDriver<Values<typeof acceptOptions>> = {
  name: "accept",
  options: acceptOptions,
  create({ transport }) {
    const decision: Decision = { kind: "accept", transport };
    return { route: () => decision };
  },
};
