// Google on 127.0.0.1: the token endpoint, the metadata server of a machine at Google, and the Directory API. It checks
// what Google checks, and misbehaves on order.
//
//   await using google = await startGoogle();
//   google.users = [{ primaryEmail: "alice@example.com" }];
//   google.fault("/groups", { status: 503 }, "html");      // the next two answers
//   google.always("/users", "cut");                        // every answer
//   google.route("/gmail/v1/", ({ url, subject }) => ({ status: 200, body: { … } }));
//
// `google.keyFile()` is the text of a service account's key; `google.secrets` must appear nowhere else.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { type Directory, directoryAnswer } from "./google-directory.ts";
import { errorAnswer, type GoogleAnswer, type GoogleCall } from "./google-answer.ts";
import { TokenOffice } from "./google-token.ts";

/** One answer that is not as it should be. */
export type Fault =
  | {
      readonly status: number;
      readonly reason?: string;
      readonly retryAfter?: string;
      readonly body?: string;
    }
  /** 200 with a page of HTML, as a proxy sends it. */
  | "html"
  /** The body ends in the middle. */
  | "cut"
  /** The connection ends before the answer. */
  | "reset"
  /** No answer comes. */
  | "silent"
  /** The head comes, and then the body, an octet at a time. */
  | "drip"
  /** A body that does not end. */
  | "endless"
  /** 200 with {}. */
  | "nothing"
  /** The page names itself as the next one. */
  | "same page"
  /** Each page names another page. */
  | "more pages"
  /** The right answer. */
  | "none";

type Handler = (call: GoogleCall) => GoogleAnswer | Promise<GoogleAnswer>;

export class FakeGoogle implements Directory, AsyncDisposable {
  users: Directory["users"] = [];
  groups: Directory["groups"] = [];
  members: Directory["members"] = {};
  customer = "C01fake";
  /** Users and groups on a page, at most. */
  pageSize = 500;
  readonly tokens: TokenOffice;
  /** "POST /token", "GET /admin/directory/v1/users?…", in the order in which they came. */
  readonly requests: string[] = [];
  readonly #scripts = new Map<string, Fault[]>();
  readonly #always = new Map<string, Fault>();
  readonly #routes: { readonly prefix: string; readonly handler: Handler }[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #pages = 0;

  constructor() {
    this.tokens = new TokenOffice(() => this.base);
    this.route("/admin/directory/v1/", (call) => directoryAnswer(this, call));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** "http://127.0.0.1:PORT" */
  get base(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    return `http://127.0.0.1:${address.port}`;
  }

  keyFile(changes: Readonly<Record<string, unknown>> = {}): string {
    return this.tokens.keyFile(changes);
  }

  /** Texts that must appear in no output, log, file or error. */
  get secrets(): readonly string[] {
    return this.tokens.secrets;
  }

  /** The next answers to requests whose path ends with `path`. */
  fault(path: string, ...faults: readonly Fault[]): void {
    this.#scripts.set(path, [...(this.#scripts.get(path) ?? []), ...faults]);
  }

  /** Every answer to requests whose path ends with `path`, after those of `fault`. "none" ends it. */
  always(path: string, fault: Fault): void {
    this.#always.set(path, fault);
  }

  /** Answers requests for paths that begin with `prefix`. They need a valid token. */
  route(prefix: string, handler: Handler): void {
    this.#routes.unshift({ prefix, handler });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.base);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const posted = await text(request).catch(() => "");
    const fault = this.#faultFor(url.pathname);
    if (fault === "reset") return void request.socket.destroy();
    if (fault === "silent") return;
    const { status, body, headers } = await this.#answer(request, url, posted, fault);
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    const type = typeof body === "string" ? "text/html" : "application/json; charset=UTF-8";
    const head = { "content-type": type, "content-length": Buffer.byteLength(sent), ...headers };
    if (fault === "endless") return flood(response);
    response.writeHead(status, head);
    if (fault === "drip") return void response.write(sent.slice(0, 1));
    if (fault !== "cut") return void response.end(sent);
    response.write(sent.slice(0, Math.ceil(sent.length / 2)), () => request.socket.destroy());
  }

  #faultFor(path: string): Fault {
    for (const [ending, faults] of this.#scripts) {
      const next = path.endsWith(ending) ? faults.shift() : undefined;
      if (next !== undefined) return next;
    }
    for (const [ending, fault] of this.#always) if (path.endsWith(ending)) return fault;
    return "none";
  }

  async #answer(
    request: IncomingMessage,
    url: URL,
    posted: string,
    fault: Fault,
  ): Promise<GoogleAnswer> {
    if (typeof fault === "object") return faulty(fault);
    if (fault === "html") return { status: 200, body: "<html><title>Sign in</title></html>" };
    if (fault === "nothing") return { status: 200, body: {} };
    const token = this.tokens.answer(request, url, posted);
    if (token !== undefined) return token;
    const granted = this.tokens.granted(request.headers.authorization);
    if (granted === undefined) return errorAnswer(401, "authError", "Invalid Credentials");
    const route = this.#routes.find(({ prefix }) => url.pathname.startsWith(prefix));
    if (route === undefined) return errorAnswer(404, "notFound", "Not Found");
    const call = { method: request.method ?? "", ...granted };
    if (fault !== "same page" && fault !== "more pages") return route.handler({ ...call, url });
    const first = new URL(url);
    first.searchParams.delete("pageToken");
    return this.#paged(await route.handler({ ...call, url: first }), fault, url);
  }

  #paged(answer: GoogleAnswer, fault: Fault, url: URL): GoogleAnswer {
    this.#pages += 1;
    const again = url.searchParams.get("pageToken") ?? "again";
    const nextPageToken = fault === "same page" ? again : `page-${this.#pages}`;
    return { ...answer, body: { ...Object(answer.body), nextPageToken } };
  }
}

export async function startGoogle(): Promise<FakeGoogle> {
  const google = new FakeGoogle();
  await google.listen();
  return google;
}

function faulty({
  status,
  reason = "backendError",
  retryAfter,
  body,
}: Extract<Fault, object>): GoogleAnswer {
  const answer = errorAnswer(status, reason, `the fake says ${reason}`);
  const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  return { ...answer, ...(body === undefined ? {} : { body }), headers };
}

/** Writes until the client has gone. */
function flood(response: ServerResponse): void {
  const piece = `"${"x".repeat(64 * 1024)}",`;
  response.writeHead(200, { "content-type": "application/json" });
  const more = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  response.write('{"users":[');
  more();
}
