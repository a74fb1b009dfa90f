// A smtp transport with options of a test, and one batch that it sends.

import { type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Services, Transport } from "../../src/contract/contract.ts";
import { smtp } from "../../transports/smtp.ts";
import { readOptions, type OptionTable } from "../conformance/driver.ts";
import { batch } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";
import { never, people, told } from "./support.ts";

export function create(
  t: TestContext,
  table: OptionTable,
  services: Partial<Services> = {},
): Transport {
  const transport = smtp.create(
    readOptions(smtp, table),
    fakeServices({ clock: systemClock, ...services }),
  );
  t.after(() => transport.close?.());
  return transport;
}

export async function send(transport: Transport, recipients = people("bob"), signal = never()) {
  return told(await transport.deliver(batch(recipients), signal), recipients);
}
