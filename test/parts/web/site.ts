// The pages in a process of the test, with users, and an archive of a few messages at its socket.

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import type { Configuration } from "../../../src/config/configuration.ts";
import { loadConfiguration } from "../../../src/config/load.ts";
import { CommandError, EXIT } from "../../../src/contract/exit.ts";
import { builtIn } from "../../../src/built-in.ts";
import { Archive } from "../../../src/parts/archive/service/archive.ts";
import { operation } from "../../../src/parts/archive/service/operation.ts";
import { requireArchive } from "../../../src/parts/archive/service/settings.ts";
import { serveArchive } from "../../../src/parts/archive/service/socket.ts";
import type { WebOptions } from "../../../src/parts/web/options.ts";
import { serve } from "../../../src/parts/web/process.ts";
import { changeUsers } from "../../../src/users/users.ts";
import { passwordFieldOf, type Role } from "../../../src/users/passwd-file.ts";
import { RIGHT } from "../../config/configuration.ts";
import { Place } from "../../support/program.ts";

export interface Stored {
  readonly id: number;
  readonly account: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly parts?: readonly { name: string; type: string; octets: Buffer; contentId?: string }[];
}

export interface Person {
  readonly password: string;
  readonly role?: Role;
  readonly totp?: string;
  readonly mustChange?: boolean;
}

const quiet = { event: () => undefined };

export class TestSite implements AsyncDisposable {
  readonly place = new Place();
  /** What the archive was asked, the oldest first. */
  readonly asked: { readonly verb: string; readonly order: unknown }[] = [];
  readonly #ends = new AsyncDisposableStack();
  url = "";
  /** Each request comes from another client, so that no wrong password slows down the next one. */
  #requests = 0;

  static async open(
    people: Readonly<Record<string, Person>>,
    messages: readonly Stored[],
    web = "",
  ): Promise<TestSite> {
    const site = new TestSite();
    const configuration = await site.#configured(web);
    await site.#addUsers(people);
    site.#ends.use(await site.#archive(configuration, messages));
    await site.#serve(configuration);
    return site;
  }

  /** A request as a program makes it. Cookies of `jar` are sent, and set by the answer. */
  async ask(
    path: string,
    {
      jar,
      form,
      headers = {},
    }: { jar?: Jar; form?: Record<string, string>; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const body = form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) };
    const cookie = jar === undefined || jar.size === 0 ? {} : { cookie: cookieOf(jar) };
    const answer = await fetch(`${this.url}${path}`, {
      redirect: "manual",
      headers: { "x-forwarded-for": `198.51.100.${this.#requests++ % 256}`, ...cookie, ...headers },
      ...body,
    });
    for (const one of answer.headers.getSetCookie()) keep(one, jar);
    return answer;
  }

  async login(user: string, password: string): Promise<Jar> {
    const jar: Jar = new Map();
    const answer = await this.ask("/login", { jar, form: { user, password } });
    if (answer.status !== 303) throw new Error(`${user} did not get in: ${answer.status}`);
    return jar;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ends.disposeAsync();
    this.place[Symbol.dispose]();
  }

  get usersFile(): string {
    return join(this.place.directory, "users");
  }

  async #configured(web: string): Promise<Configuration> {
    const text = RIGHT.replace(
      "[relay]\n",
      `[relay]\nspool_directory = "${this.place.directory}"\n`,
    );
    const tables = `[archive]\nstate = "state"\n[users]\nfile = "users"\n[web]\n${web}\n`;
    const file = this.place.write("routers.toml", `${text}${tables}`);
    const loaded = await loadConfiguration(file, builtIn);
    if (!("configuration" in loaded)) throw new Error(JSON.stringify(loaded));
    return loaded.configuration;
  }

  async #addUsers(people: Readonly<Record<string, Person>>): Promise<void> {
    const fields = await Promise.all(
      Object.entries(people).map(
        async ([address, { password, ...person }]) =>
          [address, { ...person, password: await passwordFieldOf(password) }] as const,
      ),
    );
    await changeUsers(this.usersFile, {}, (users) => {
      for (const [address, person] of fields) users.add(address, person);
      return true;
    });
  }

  async #archive(configuration: Configuration, messages: readonly Stored[]) {
    const ends = new AsyncDisposableStack();
    const means = { clock: systemClock, log: quiet };
    const archive = ends.use(Archive.forWriting(requireArchive(configuration), means));
    const operations = operationsOn(messages, (verb, order) => this.asked.push({ verb, order }));
    const server = await serveArchive(archive, new Map(operations.map((one) => [one.verb, one])));
    ends.defer(() => server.close());
    return ends;
  }

  async #serve(configuration: Configuration): Promise<void> {
    const table: unknown = configuration.parts["web"];
    const options = optionsIn(table);
    const served = serve(configuration, options, { clock: systemClock, log: quiet });
    const server: Server = createServer({ pauseOnConnect: true }, (socket) =>
      served.connected(socket),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#ends.defer(() => served.close(0));
    this.#ends.defer(() => void server.close());
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    this.url = `${options.certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  }
}

export type Jar = Map<string, string>;

function keep(setCookie: string, jar: Jar | undefined): void {
  const [pair = ""] = setCookie.split(";");
  const at = pair.indexOf("=");
  const isEnded = /max-age=0/i.test(setCookie);
  if (isEnded) jar?.delete(pair.slice(0, at));
  else jar?.set(pair.slice(0, at), pair.slice(at + 1));
}

export function cookieOf(jar: Jar): string {
  return Array.from(jar, ([name, value]) => `${name}=${value}`).join("; ");
}

/** The loader has read the table. */
function optionsIn(table: unknown): WebOptions {
  if (!isWeb(table)) throw new Error("no [web]");
  return table;
}

function isWeb(table: unknown): table is WebOptions {
  return table !== undefined;
}

interface Order {
  readonly id?: number;
  readonly number?: number;
  readonly query?: string;
  readonly accounts?: readonly string[];
  readonly limit?: number;
  readonly before?: number;
}

function operationsOn(messages: readonly Stored[], heard: (verb: string, order: unknown) => void) {
  const newest = messages.toSorted((one, other) => other.id - one.id);
  const visible = ({ accounts }: Order) =>
    newest.filter(({ account }) => accounts === undefined || accounts.includes(account));
  const found = (order: Order): Stored => {
    const message = visible(order).find(({ id }) => id === order.id);
    if (message === undefined) throw new CommandError("unknown", EXIT.notDone);
    return message;
  };
  const asked = (verb: string, run: (order: Order) => Iterable<object>) =>
    operation({
      verb,
      access: "read",
      read: orderIn,
      async *run(_, order) {
        heard(verb, order);
        yield* run(order);
      },
    });
  return [
    asked("search", ({ query = "", before = Infinity, limit = 50, ...order }) => {
      if (query.includes("frm:"))
        throw new CommandError('unknown operator "frm:"; did you mean "from:"?', EXIT.usage);
      return visible(order)
        .filter(({ id, subject }) => id < before && subject.includes(query))
        .slice(0, limit)
        .map(rowOf);
    }),
    asked("view", (order) => [viewOf(found(order))]),
    asked("raw", (order) => [{ chunk: Buffer.from(found(order).text ?? "").toString("base64") }]),
    asked("attachment", (order) => {
      const part = found(order).parts?.[(order.number ?? 0) - 1];
      return [{ chunk: part?.octets.toString("base64") ?? "" }];
    }),
    asked("audit", () => []),
  ];
}

function orderIn(order: unknown): Order {
  return typeof order === "object" && order !== null ? order : {};
}

function rowOf({ id, account, subject, parts = [] }: Stored) {
  const addresses = { from: '"Ann" <ann@example.org>', to: account };
  const names = parts.map(({ name }) => name);
  const date = "2026-11-30T12:00:00.000Z";
  return {
    id,
    account,
    folder: "INBOX",
    date,
    subject,
    size: 1234,
    attachments: names,
    ...addresses,
  };
}

function viewOf(message: Stored) {
  const parts = (message.parts ?? []).map(({ name, type, octets, contentId = "" }, index) => {
    return { number: index + 1, name, type, size: octets.length, contentId };
  });
  const { text = "", html = "" } = message;
  return { ...rowOf(message), text, html, parts, flaw: "" };
}
