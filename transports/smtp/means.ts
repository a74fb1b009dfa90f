// What one transport has for all its deliveries: connections, and who may use them when.

import { readFileSync } from "node:fs";
import type { Services, TlsRule } from "../../src/contract/contract.ts";
import { Room } from "../../src/base/room.ts";
import { Dialler } from "./dialler.ts";
import { Pace, type Rate } from "./pace.ts";
import { Policies } from "./policy.ts";
import { RequireTlsPolicies } from "./require-tls.ts";
import { Pool } from "./pool.ts";
import type { SmtpOptions } from "./settings.ts";
import { lookUp } from "./targets.ts";
import { Turns } from "./turns.ts";
import type { Host } from "../../src/mail/host.ts";

export interface Means {
  readonly options: SmtpOptions;
  readonly services: Services;
  /** Shared with all other transports. */
  readonly room: Room;
  readonly pool: Pool;
  readonly dialler: Dialler;
  readonly policies: Policies;
  /** For mail that requires TLS. */
  readonly strictPolicies: RequireTlsPolicies;
  readonly turns: Turns;
}

/** For a dry run. */
export async function tlsRuleOf(means: Means, host: Host): Promise<TlsRule> {
  const found = await lookUp({ ...host, port: host.port ?? means.options.port }, means);
  const { rule, why } = "policy" in found ? found.policy : found;
  return { rule, why };
}

/** Throws when the authorities cannot be read. */
export function meansOf(options: SmtpOptions, services: Services): Means {
  const { tls_verify_certificates: file, connections_max: most } = options;
  const trusted = file === undefined ? undefined : readFileSync(file, "utf8");
  const pace = (rate: Rate | undefined) => rate && new Pace(rate, services.clock);
  const policies = new Policies(options, services);
  const room = services.room ?? new Room(services.clock);
  return {
    options,
    services,
    room,
    pool: new Pool(most, options.connection_max_messages, options.connection_idle, room),
    dialler: new Dialler(options, services, trusted),
    policies,
    strictPolicies: new RequireTlsPolicies(policies),
    turns: new Turns(pace(options.rate), pace(options.recipient_rate)),
  };
}
