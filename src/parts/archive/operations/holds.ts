// hold-add, hold-list, hold-release.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Holds } from "../retention/holds.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";
import { conditionOf } from "./queries.ts";

const NAME = /^[\w.-]{1,100}$/;

export const holdAdd = operation({
  verb: "hold-add",
  access: "write",
  read(given) {
    const order = new Order(given);
    const name = order.text("name");
    if (!NAME.test(name)) {
      throw new CommandError(`"${name}": a name has letters, digits, ".", "_" and "-"`, EXIT.usage);
    }
    const [query, zone] = [order.text("query"), order.text("zone")];
    return { name, query, zone, why: order.text("why"), by: order.text("by") };
  },
  async *run({ audit, clock, retained }, { name, query, zone, why, by }) {
    const now = clock.now();
    const condition = conditionOf(query, now, zone);
    await audit.append([{ act: "hold", by, fields: { name, query, why } }]);
    const { holds, turns } = retained;
    const isNew = await turns.take(() => holds.add({ name, query, condition, why, by, now }));
    if (!isNew) throw new CommandError(`there is a hold "${name}" already`, EXIT.notDone);
    const hold = holds.list().find((each) => each.name === name);
    if (hold !== undefined) yield rowOf(hold);
  },
});

export const holdList = operation({
  verb: "hold-list",
  access: "write",
  read: () => ({}),
  async *run({ retained }) {
    for (const hold of retained.holds.list()) yield rowOf(hold);
  },
});

export const holdRelease = operation({
  verb: "hold-release",
  access: "write",
  read(given) {
    const order = new Order(given);
    return { name: order.text("name"), by: order.text("by") };
  },
  async *run({ audit, retained }, { name, by }) {
    const known = retained.holds.list().some((each) => each.name === name);
    if (!known) throw new CommandError(`there is no hold "${name}"`, EXIT.notDone);
    await audit.append([{ act: "release", by, fields: { name } }]);
    retained.holds.release(name);
    yield { name };
  },
});

type Listed = ReturnType<Holds["list"]>[number];

function rowOf({ name, query, why, by, since, covers }: Listed) {
  return { name, query, why, by, since: new Date(since).toISOString(), covers };
}
