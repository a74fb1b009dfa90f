// The proxies' own process.

import type { Socket } from "node:net";
import type { ListenAddress } from "../../base/net/listen-address.ts";
import type { Configuration } from "../../config/configuration.ts";
import { Copies } from "./copies/copies.ts";
import type { ProxyOptions } from "./options.ts";
import { ProxyServer, type ServerMeans } from "./server.ts";
import { serveStatus, socketOf } from "./status.ts";

export interface ServedProxies {
  connected(socket: Socket, address: ListenAddress): void;
  close(grace: number): Promise<void>;
}

/** Rejects if a certificate or a `state` cannot be used. */
export async function serve(
  proxies: readonly ProxyOptions[],
  configuration: Configuration,
  means: ServerMeans,
): Promise<ServedProxies> {
  const copies = new Copies(configuration, means);
  const server = new ProxyServer(proxies, (options) => copies.keeperOf(options), means);
  const socket = socketOf(configuration.relay.spool_directory);
  const status = await serveStatus(socket, server, copies, means.log);
  return {
    connected: (client, address) => server.connected(client, address),
    async close(grace) {
      status.close();
      await server.close(grace);
      await copies.close();
    },
  };
}
