// Makes the parts of reception that [relay] configures: the reserve of the disk, and the rates of clients.

import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Gate } from "./gate/gate.ts";
import type { Log } from "../observe/log.ts";
import type { Reception } from "../smtp/server/reception.ts";
import { limitRates } from "./client-rates.ts";
import { DiskReserve, freeSpace } from "../spool/disk-reserve.ts";

interface Services {
  readonly clock: Clock;
  readonly log: Log;
}

export function reserveOf(relay: Configuration["relay"], { clock, log }: Services): DiskReserve {
  return new DiskReserve({
    bytes: relay.spool_reserve,
    inodes: relay.spool_reserve_inodes,
    measure: () => freeSpace(relay.spool_directory),
    clock,
    log,
  });
}

export function withRates(
  reception: Reception,
  relay: Configuration["relay"],
  gate: Pick<Gate, "isRelayHost">,
  { clock, log }: Services,
): Reception {
  return limitRates(reception, {
    messages: relay.messages_per_client_rate,
    recipients: relay.recipients_per_client_rate,
    refusedRecipients: relay.refused_recipients_per_client_rate,
    isExempt: (address) => gate.isRelayHost(address),
    clock,
    log,
  });
}
