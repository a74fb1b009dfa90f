// erase: deletes the mail of an account for good, except what is on hold.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Condition } from "../search/condition.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";
import { conditionOf } from "./queries.ts";
import { detailsOf, pathOf } from "./retain.ts";

export const erase = operation({
  verb: "erase",
  access: "write",
  read(given) {
    const order = new Order(given);
    const account = order.text("account").toLowerCase();
    if (!/^[^@/]+@[^@/]+$/.test(account)) {
      throw new CommandError(`"${account}" is not the address of an account`, EXIT.usage);
    }
    const [query, zone] = [order.optionalText("query"), order.text("zone")];
    return { account, query, zone, why: order.text("why"), by: order.text("by") };
  },
  async *run(archive, { account, query, zone, why, by }, signal) {
    const own: Condition = { kind: "account", account };
    const asked = query === undefined ? undefined : conditionOf(query, archive.clock.now(), zone);
    const condition: Condition = asked === undefined ? own : { kind: "all", of: [own, asked] };
    await archive.caughtUp();
    const fields = { account, ...(query !== undefined && { query }), why };
    await archive.audit.append([{ act: "erase", by, fields }]);
    for await (const departure of archive.retained.retention.erase(condition, signal)) {
      const { what, message, path } = departure;
      yield { path: path ?? (await pathOf(archive, message)), what, ...detailsOf(message) };
    }
  },
});
