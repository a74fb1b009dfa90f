// The state that one transport shares between its deliveries: connections, policies and rates.

import { readFileSync } from "node:fs";
import { given } from "../../src/base/given.ts";
import type { Reached, Services, TlsRule } from "../../src/contract/contract.ts";
import { DeliveryRoom, type Room } from "../../src/base/room.ts";
import { Dialler } from "./dialler.ts";
import { RateLimit, type Rate } from "./rate-limit.ts";
import { Policies } from "./policy.ts";
import { RequireTlsPolicies } from "./require-tls.ts";
import { Pool } from "./pool.ts";
import type { SmtpOptions } from "./resolved-options.ts";
import { lookUp, targetOf } from "./targets.ts";
import { RateLimits } from "./rate-limits.ts";
import type { Host } from "../../src/mail/host.ts";

export interface TransportContext {
  readonly options: SmtpOptions;
  readonly services: Services;
  /** Shared with all other transports. */
  readonly room: Room;
  readonly pool: Pool;
  readonly dialler: Dialler;
  readonly policies: Policies;
  /** For mail that requires TLS. */
  readonly strictPolicies: RequireTlsPolicies;
  readonly rateLimits: RateLimits;
}

/** Returns the TLS rule for a host, for a dry run. */
export async function tlsRuleOf(context: TransportContext, host: Host): Promise<TlsRule> {
  const found = await lookUp({ ...host, port: host.port ?? context.options.port }, context);
  const { rule, why } = "policy" in found ? found.policy : found;
  return { rule, why };
}

/** Connects to each address of a host as for a delivery, and ends the connection before MAIL. */
export async function reachHost(
  context: TransportContext,
  host: Host,
  signal: AbortSignal,
): Promise<readonly Reached[]> {
  const { options, dialler } = context;
  const port = host.port ?? options.port;
  const found = await lookUp({ ...host, port }, context);
  if (!("addresses" in found)) {
    return [{ kind: "failed", status: found.status, error: found.error }];
  }
  const reach = async (address: string): Promise<Reached> => {
    const target = targetOf(host, address, port, found.policy);
    const { place } = target;
    const connected = await dialler.dial(target, signal);
    if (connected.kind === "failed") {
      const { status, error, noRoute } = connected;
      const absent = noRoute ? ({ noRoute } as const) : {};
      return { kind: "failed", place, status, ...given({ error }), ...absent };
    }
    const { tls } = connected.conversation;
    void connected.conversation.close();
    return { kind: "reached", place, ...given({ tls }) };
  };
  return Promise.all(found.addresses.map((address) => reach(address)));
}

/** Makes the context of one transport. Throws if the file of authorities cannot be read. */
export function contextOf(options: SmtpOptions, services: Services): TransportContext {
  const { tls_verify_certificates: file, connections_max: most } = options;
  const trusted = file === undefined ? undefined : readFileSync(file, "utf8");
  const limit = (rate: Rate | undefined) => rate && new RateLimit(rate, services.clock);
  const policies = new Policies(options, services);
  const room = services.room ?? new DeliveryRoom(services.clock);
  return {
    options,
    services,
    room,
    pool: new Pool(most, options.connection_max_messages, options.connection_idle, room),
    dialler: new Dialler(options, services, trusted),
    policies,
    strictPolicies: new RequireTlsPolicies(policies),
    rateLimits: new RateLimits(limit(options.rate), limit(options.recipient_rate)),
  };
}
