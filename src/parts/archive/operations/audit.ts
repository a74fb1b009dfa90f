// audit: an act of a user, such as a login or a view, is noted in the audit log before its result is shown.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import { isAct } from "../chain/audit.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

export const audit = operation({
  verb: "audit",
  access: "write",
  read(given) {
    const order = new Order(given);
    const act = order.text("act");
    if (!isAct(act)) throw new CommandError(`the audit log has no act "${act}"`, EXIT.usage);
    return { act, by: order.text("by"), fields: order.record("fields") };
  },
  async *run(archive, entry) {
    await archive.audit.append([entry]);
    yield {};
  },
});
