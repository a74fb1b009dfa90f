// discard: throws the message away and answers "delivered". It is the smallest complete transport: read it first.

import { options } from "../src/options/options.ts";
import type { Outcome, TransportDriver } from "../src/contract/contract.ts";
import { status } from "../src/mail/status.ts";

const DISCARDED: Outcome = { kind: "delivered", status: status(250, "0.0", "discarded") };

/**
 * Outcomes:
 * - delivered: always.
 */
export const discard: TransportDriver = {
  name: "discard",
  options: options({}),
  create: () => ({
    locality: "local",
    batchKey: () => "",
    deliver: (batch) => Promise.resolve(new Map(batch.recipients.map(({ id }) => [id, DISCARDED]))),
  }),
};
