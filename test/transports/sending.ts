// A transport with the options of a test, and one batch that it sends.

import { type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Services, Transport, TransportDriver } from "../../src/contract/contract.ts";
import { smtp } from "../../transports/smtp.ts";
import { readOptions, type OptionTable } from "../conformance/driver.ts";
import { batch } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";
import { never, people, told } from "./support.ts";

/** Closed when the test ends. Its clock is the system's, unless it is given another. */
export function createWith<Options>(
  t: TestContext,
  driver: TransportDriver<Options>,
  table: OptionTable,
  services: Partial<Services> = {},
): Transport {
  const options = readOptions(driver, table);
  const transport = driver.create(options, fakeServices({ clock: systemClock, ...services }));
  t.after(() => transport.close?.());
  return transport;
}

/** A smtp transport. */
export function create(
  t: TestContext,
  table: OptionTable,
  services: Partial<Services> = {},
): Transport {
  return createWith(t, smtp, table, services);
}

export async function send(transport: Transport, recipients = people("bob"), signal = never()) {
  return told(await transport.deliver(batch(recipients), signal), recipients);
}
