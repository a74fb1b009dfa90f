// accept: the postmaster knows of a loss. All paths of an order are accepted, or none.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import { acceptedEntries } from "../proof/accepting.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

export const accept = operation({
  verb: "accept",
  access: "write",
  read(given) {
    const order = new Order(given);
    return { paths: order.texts("paths"), why: order.text("why"), by: order.text("by") };
  },
  async *run({ settings: { directory, state }, manifest, audit }, { paths, why, by }) {
    const { entries, refused } = await acceptedEntries(paths, { directory, state, why });
    if (refused.length > 0) throw new CommandError(refused, EXIT.notDone);
    await audit.append(paths.map((path) => ({ act: "accept", by, fields: { path, why } })));
    await manifest.append(entries);
    for (const path of paths) yield { path };
  },
});
