// What the process of the proxies says about itself at proxies.sock: GET /, answered with one JSON object.

import { createServer } from "node:http";
import { join } from "node:path";
import { listenOnUnixSocket } from "../../base/net/unix-socket.ts";
import { given } from "../../base/given.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { Copies } from "./copies/copies.ts";
import type { ProxyServer, ProxyStatus } from "./server.ts";

export interface AccountStatus {
  readonly account: string;
  /** Clients for which copies are kept now. */
  readonly sessions: number;
  /** Messages that were ever kept. */
  readonly kept: number;
  /** Since the start of the process: messages that were new, that were kept before, and that could not be kept. */
  readonly new: number;
  readonly known: number;
  readonly failed: number;
  readonly last_failure?: { readonly at: string; readonly why: string };
}

export interface Status {
  readonly proxies: readonly ProxyStatus[];
  readonly accounts: readonly AccountStatus[];
}

export function socketOf(spoolDirectory: string): string {
  return join(spoolDirectory, "proxies.sock");
}

export interface StatusServer {
  close(): void;
}

/** Rejects if the socket cannot be used. */
export async function serveStatus(
  path: string,
  server: ProxyServer,
  copies: Copies,
  log: Log,
): Promise<StatusServer> {
  const http = createServer((_, response) => {
    statusOf(server, copies).then(
      (status) => response.end(JSON.stringify(status)),
      (error: unknown) => {
        log.event("relay.error", { where: "proxies: status", error: describeError(error) });
        response.writeHead(500).end();
      },
    );
  });
  await listenOnUnixSocket(http, path);
  return {
    close() {
      http.close();
      http.closeAllConnections();
    },
  };
}

async function statusOf(server: ProxyServer, copies: Copies): Promise<Status> {
  const counts = await copies.counts();
  const { accounts: tallies } = copies.tally;
  const sessions = server.accounts();
  const names = new Set([...counts.keys(), ...tallies.keys(), ...sessions.keys()]);
  const accounts = [...names].toSorted().map((account) => {
    const tally = tallies.get(account);
    const failure = tally?.lastFailure;
    return {
      account,
      sessions: sessions.get(account) ?? 0,
      kept: counts.get(account) ?? 0,
      new: tally?.kept ?? 0,
      known: tally?.known ?? 0,
      failed: tally?.failed ?? 0,
      ...given({
        last_failure: failure && { at: new Date(failure.at).toISOString(), why: failure.why },
      }),
    };
  });
  return { proxies: server.status(), accounts };
}
