// The options of an SMTP server that a test starts by itself, without a configuration. They are wide enough that a test
// meets only the limits that it sets.

import type { SessionLimits } from "../../src/smtp/server/limits.ts";
import type { ServerOptions } from "../../src/smtp/server/server.ts";

export function serverOptions(
  limits: Partial<SessionLimits> = {},
  slots: Partial<ServerOptions> = {},
): ServerOptions {
  return {
    connectionsMax: 100,
    connectionsPerClientMax: 50,
    connectionsPerNetworkMax: 100,
    isReserved: () => false,
    limits: {
      hostname: "mx.example.com",
      sizeMax: 1_000_000,
      recipientsMax: 10,
      commandLineMax: 512,
      textLineMax: 1000,
      errorsMax: 5,
      refusedRecipientsMax: 5,
      junkCommandsMax: 100,
      requireTls: "relay",
      dsn: "all",
      greetingDelay: 0,
      tlsTimeout: 30_000,
      commandTimeout: 300_000,
      messageTimeout: 1_800_000,
      sessionTimeout: 7_200_000,
      dataRateMin: 100,
      bareNewlines: "reject",
      ...limits,
    },
    ...slots,
  };
}
