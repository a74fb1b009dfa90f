// A web server that hands out MTA-STS policies, on 127.0.0.1, with certificates of a test's own authority.

import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { createSecureContext } from "node:tls";
import type { Https } from "../../src/base/net/https.ts";
import type { Authority } from "./authority.ts";

export interface PolicyHost extends AsyncDisposable {
  /** The way to it: this machine, which is no target for anybody else. */
  readonly https: Https;
  /** Host and path of every request. */
  readonly requests: string[];
  /** What is answered from now on. */
  answer: (response: ServerResponse) => void;
  /** Somebody has connected, whatever comes of it. */
  onConnection: () => void;
}

/** `names`: those that its certificate bears, "mta-sts.example.test". */
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

/** An answer that is right. */
export function policy(...lines: readonly string[]): (response: ServerResponse) => void {
  const text = ["version: STSv1", ...lines, ""].join("\r\n");
  return (response) => response.writeHead(200, { "content-type": "text/plain" }).end(text);
}
