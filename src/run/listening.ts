// Translates the options of listeners and sessions for src/smtp/server/, and for servers of parts.

import { networkInterfaces } from "node:os";
import { given } from "../base/given.ts";
import type { Configuration } from "../config/configuration.ts";
import type { ListenerOptions } from "../smtp/server/listener-options.ts";
import type { Gate } from "../receive/gate/gate.ts";
import type { Lists } from "../lists/lists.ts";
import type { CertificateFiles } from "../base/net/certificates.ts";
import type { Door } from "../base/net/listeners.ts";
import type { ServerOptions } from "../smtp/server/server.ts";
import type { Servers } from "./servers.ts";
import { firstLocalDomain } from "../config/configuration.ts";

function limitsOf(configuration: Configuration): ServerOptions["limits"] {
  const { relay } = configuration;
  const postmasterDomain = firstLocalDomain(configuration);
  return {
    hostname: relay.hostname,
    sizeMax: relay.message_size_limit,
    recipientsMax: relay.recipients_max,
    commandLineMax: relay.command_line_max,
    textLineMax: relay.text_line_max,
    errorsMax: relay.protocol_errors_max,
    refusedRecipientsMax: relay.refused_recipients_max,
    junkCommandsMax: relay.junk_commands_max,
    greetingDelay: relay.greeting_delay,
    tlsTimeout: relay.tls_timeout,
    dataRateMin: relay.data_rate_min,
    bareNewlines: relay.bare_newlines,
    requireTls: relay.requiretls,
    dsn: relay.dsn,
    commandTimeout: relay.command_timeout,
    messageTimeout: relay.message_timeout,
    sessionTimeout: relay.session_timeout,
    ...given({ postmasterDomain }),
  };
}

/** Listens on the configured addresses and no longer on others; see {@link Servers.listenOnly}. */
export async function bindListeners(
  servers: Pick<Servers, "listenOnly">,
  { listeners }: Configuration,
  lists: Lists,
): Promise<string[]> {
  const doors = listeners.map((one) => ({ protocol: one.protocol, ...doorOf(one, lists) }));
  const ports = await servers.listenOnly(doors);
  return listeners.map(({ address: { host } }, index) => {
    const port = ports[index];
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  });
}

/** Every address of this machine: a host with one of them is the relay itself. */
export function ownAddresses({ listeners }: Configuration): ReadonlySet<string> {
  const own = new Set(listeners.map(({ address }) => address.host));
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) own.add(address);
  }
  return own;
}

function doorOf(listener: ListenerOptions, lists: Lists): Door {
  const { host, port } = listener.address;
  const proxies = listener.proxy_hosts && lists.hosts(listener.proxy_hosts);
  return {
    host,
    port,
    tls: listener.tls,
    certificates: certificatesOf(listener),
    requestCert: listener.client_certificates === "request",
    ...(proxies && { isProxy: (address) => proxies.match(address).kind === "in" }),
  };
}

function certificatesOf(listener: ListenerOptions): CertificateFiles[] {
  const { certificate, private_key: privateKey, certificates } = listener;
  const first = certificate && privateKey ? [{ certificate, privateKey }] : [];
  const more = certificates.map((one) => ({ ...one, privateKey: one.private_key }));
  return [...first, ...more];
}

export function serverOptionsOf(
  configuration: Configuration,
  gate: Pick<Gate, "isRelayHost">,
): ServerOptions {
  const { relay } = configuration;
  return {
    limits: limitsOf(configuration),
    connectionsMax: relay.connections_max,
    connectionsPerClientMax: relay.connections_per_client_max,
    connectionsPerNetworkMax: relay.connections_per_network_max,
    isReserved: (address) => gate.isRelayHost(address),
  };
}
