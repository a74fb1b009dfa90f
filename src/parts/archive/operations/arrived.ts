// arrived: the relay tells the paths of new copies. The answer is empty and comes at once.

import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

export const arrived = operation({
  verb: "arrived",
  access: "write",
  read: (order) => new Order(order).texts("paths"),
  // The answer is a stream, and this one has no value.
  // oxlint-disable-next-line require-yield
  async *run(archive, paths) {
    archive.indexer.arrived(paths);
  },
});
