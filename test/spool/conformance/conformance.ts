// What every engine of the spool has to do: each method of Spool and QueueView, in every way that the relay and
// relayctl call it. An engine that does it can take the place of another.

import { describe } from "node:test";
import { describeDurability } from "./durability.ts";
import { describeDue } from "./due.ts";
import { describeIncoming } from "./incoming.ts";
import { describeList } from "./list.ts";
import { describeOrders } from "./orders.ts";
import { inSpoolOf, type SetUp } from "./place.ts";
import { describeSettling } from "./settling.ts";
import { describeView } from "./view.ts";
import { describeWaiting } from "./waiting.ts";

export function describeSpool(name: string, setUp: SetUp): void {
  const inSpool = inSpoolOf(setUp);
  // Most of the time they wait for a disk.
  describe(`a spool of the engine ${name}`, { concurrency: 2 }, () => {
    describeIncoming(inSpool);
    describeDue(inSpool);
    describeSettling(inSpool);
    describeWaiting(inSpool);
    describeOrders(inSpool);
    describeList(inSpool);
    describeView(inSpool, setUp);
    describeDurability(inSpool);
  });
}
