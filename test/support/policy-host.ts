// A web server for MTA-STS policies, on 127.0.0.1, with certificates of the test's own authority.

import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { createSecureContext } from "node:tls";
import type { Https } from "../../src/base/net/https.ts";
import type { Authority } from "./authority.ts";

export interface PolicyHost extends AsyncDisposable {
  /** The settings to reach it at 127.0.0.1, which a real relay never connects to. */
  readonly https: Https;
  /** Host and path of every request. */
  readonly requests: string[];
  /** The response to each request from now on. */
  answer: (response: ServerResponse) => void;
  /** Called at each connection, even one without a request. */
  onConnection: () => void;
}

/** `names` are the names in its certificate, such as "mta-sts.example.test". */
export async function startPolicyHost(
  authority: Authority,
  names: readonly string[],
): Promise<PolicyHost> {
  const { chain: cert, key } = authority.issue({ names });
  const context = createSecureContext({ cert, key });
  const requests: string[] = [];
  const host = {
    requests,
    answer: (response: ServerResponse): void => void response.writeHead(404).end(),
    onConnection: (): void => undefined,
  };
  const server = createServer({ cert, key, SNICallback: (_, done) => done(null, context) });
  server.on("connection", () => host.onConnection());
  server.on("request", (request, response) => {
    requests.push(`${request.headers.host ?? ""}${request.url ?? ""}`);
    host.answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return Object.assign(host, {
    https: { port, ca: authority.certificate.toString(), isIgnored: () => false },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  });
}

/** A valid answer. */
export function policy(...lines: readonly string[]): (response: ServerResponse) => void {
  const text = ["version: STSv1", ...lines, ""].join("\r\n");
  return (response) => response.writeHead(200, { "content-type": "text/plain" }).end(text);
}
