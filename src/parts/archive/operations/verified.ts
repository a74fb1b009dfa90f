// verified: a verification of the whole archive has ended with this number of faults.

import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

export const verified = operation({
  verb: "verified",
  access: "write",
  read: (given) => ({ faults: new Order(given).number("faults") }),
  async *run({ retained }, { faults }) {
    retained.noteVerified(faults);
    yield { faults };
  },
});
