// The process of the pages: HTTP or HTTPS on the sockets that the relay hands over.
//
// Invariants: what a client may send, and how long it may take, is bounded. A client that does not finish is cut off.

import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import { archiveSocket } from "../../archive/archive.ts";
import type { Clock } from "../../base/clock.ts";
import { FileTurns } from "../../base/file-turns.ts";
import { Certificates } from "../../base/net/certificates.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Log } from "../../observe/log.ts";
import { usersSocket } from "../../users/login-protocol.ts";
import { usersFileOf } from "../../users/options.ts";
import { SharedLogins } from "../../users/shared-logins.ts";
import { createApp } from "./app.ts";
import { ClientAddresses } from "./client-address.ts";
import { Cookies } from "./cookies.ts";
import { Entries } from "./entry.ts";
import { Mail } from "./mail.ts";
import type { WebOptions } from "./options.ts";
import { isSecure } from "./origin.ts";
import { SafeHtmlThread } from "./safe-html-thread.ts";
import { SecondFactors } from "./second-factor.ts";
import { Sessions } from "./sessions.ts";
import type { Site } from "./site.ts";

const CONNECTIONS_MAX = 2000;
/** Milliseconds for the header of a request, and for the whole request. */
const TIMES = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5000 };

interface WebMeans {
  readonly clock: Clock;
  readonly log: Log;
}

export interface ServedPages {
  connected(socket: Socket): void;
  close(grace: number): Promise<void>;
}

/** Throws if the certificate cannot be used. */
export function serve(
  configuration: Configuration,
  options: WebOptions,
  means: WebMeans,
): ServedPages {
  const site = siteOf(configuration, options, means);
  const listener = getRequestListener(createApp(site).fetch);
  const server = createServer(TIMES, (request, response) => void listener(request, response));
  const certificates = certificatesOf(options, means);
  const sockets = new Set<Socket>();
  return {
    connected(socket) {
      if (sockets.size >= CONNECTIONS_MAX) return void socket.destroy();
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      if (certificates === undefined) server.emit("connection", socket.resume());
      else void encrypt(socket, certificates, means.clock, server);
    },
    async close(grace) {
      server.closeIdleConnections();
      const late = means.clock.after(grace, () => {
        for (const socket of sockets) socket.destroy();
      });
      const ends = [...sockets].map((socket) => new Promise((end) => socket.once("close", end)));
      await Promise.all(ends);
      late.cancel();
      site.safeHtml.close();
    },
  };
}

function certificatesOf(
  { certificate, private_key: privateKey }: WebOptions,
  { clock, log }: WebMeans,
): Certificates | undefined {
  if (certificate === undefined || privateKey === undefined) return undefined;
  const parts = { clock, log, turns: new FileTurns(1) };
  return new Certificates([{ certificate, privateKey }], false, parts);
}

/** Hands the connection over when its handshake is done. Each handshake uses the certificate in force by then. */
async function encrypt(
  socket: Socket,
  certificates: Certificates,
  clock: Clock,
  server: Server,
): Promise<void> {
  const { secureContext } = await certificates.current();
  const secured = new TLSSocket(socket, { isServer: true, secureContext, minVersion: "TLSv1.2" });
  const late = clock.after(TIMES.headersTimeout, () => socket.destroy());
  secured.on("error", () => socket.destroy());
  secured.on("close", () => late.cancel());
  secured.once("secure", () => {
    late.cancel();
    server.emit("connection", secured);
  });
}

function siteOf(configuration: Configuration, options: WebOptions, means: WebMeans): Site {
  const { clock } = means;
  const usersFile = usersFileOf(configuration);
  const { spool_directory: spoolDirectory } = configuration.relay;
  const logins = new SharedLogins(usersFile, usersSocket(spoolDirectory), means);
  const sessions = new Sessions(options.session, clock);
  const factors = new SecondFactors(clock);
  return {
    ...means,
    options,
    logins,
    usersFile,
    sessions,
    factors,
    entries: new Entries({ clock, logins, factors, sessions }),
    clients: new ClientAddresses(options.trusted_proxies),
    cookies: new Cookies(isSecure(options)),
    mail: new Mail(archiveSocket(spoolDirectory)),
    safeHtml: new SafeHtmlThread(clock),
  };
}
