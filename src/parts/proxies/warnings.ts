// [[proxies]] as a part of the whole configuration: warnings, and what else of it the proxies use.

import type { Configuration } from "../../config/configuration.ts";
import type { ProxyOptions } from "./options.ts";

export function warningsOf({ file, parts }: Configuration): string[] {
  return proxiesOf(parts["proxies"]).flatMap(({ tls, address: { host } }, index) =>
    tls === "none" && !isLoopback(host)
      ? [
          `${file}: proxies[${index}].tls: is "none", so passwords cross the network in clear text; write "implicit" or "starttls"`,
        ]
      : [],
  );
}

/** The options of the transports that write copies: if they change, the process is replaced. */
export function usedOf({ parts, transports }: Configuration): unknown {
  return proxiesOf(parts["proxies"]).map(
    ({ transport: name }) => name && transports.get(name)?.options,
  );
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

/** The loader has read the tables by `proxyOptions`. */
function isProxies(tables: unknown): tables is readonly ProxyOptions[] {
  return Array.isArray(tables);
}

function proxiesOf(tables: unknown): readonly ProxyOptions[] {
  return isProxies(tables) ? tables : [];
}
