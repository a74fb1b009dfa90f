// What the sessions of a server log, whatever they speak.

import { statusLine, status } from "../../mail/status.ts";
import type { Client } from "../../mail/envelope.ts";
import { describeError, type Log } from "../../observe/log.ts";

/** Most characters of a dropped parameter. */
const DROPPED_SHOWN = 200;

/** The refusal of a client without a free slot. */
export const TOO_MANY = statusLine(status(421, "7.0", "Too many connections, try again later"));

export interface SessionLog {
  /** A client gets no session. `told`: it has heard TOO_MANY. */
  readonly onRefused: (client: string, why: string, told: boolean) => void;
  /** An error of the relay. */
  readonly onError: (client: Client, where: string, error: unknown) => void;
  readonly onTlsFailure: (client: Client, error: Error) => void;
  /** Parameters of a command cannot be decoded and were left out of the request. */
  readonly onDropped: (client: Client, command: string, parameters: readonly string[]) => void;
  readonly onEnd: (client: Client, why: string) => void;
}

export function sessionLog(log: Log): SessionLog {
  return {
    onRefused: (client, why, told) =>
      log.event("session.refused", { client, reply: told ? TOO_MANY : "", why }),
    onError: (client, where, error) =>
      log.event("relay.error", {
        where: `${where} of ${client.address}`,
        error: describeError(error),
      }),
    onTlsFailure: (client, error) =>
      log.event("session.tls_failed", { client: client.address, error: error.message }),
    onDropped: (client, command, parameters) =>
      log.event("session.parameter_dropped", {
        client: client.address,
        command,
        parameters: parameters.map((parameter) => parameter.slice(0, DROPPED_SHOWN)),
      }),
    onEnd(client, why) {
      if (why !== "quit") log.event("session.ended", { client: client.address, why });
    },
  };
}
