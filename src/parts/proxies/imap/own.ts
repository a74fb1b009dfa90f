// An IMAP client before the login, while no server is connected: with auth_http, which names the server, or because no
// server answers. The proxy greets, takes the login, and logs in to the server itself.

import { COMMANDS_MAX, isOneLine, LINE_MAX } from "../protocol.ts";
import type { Session } from "../session.ts";
import { type Credentials, decoded, exchanged, plainMessage } from "../wire/sasl.ts";
import { ownCapabilities } from "./capabilities.ts";
import { greetImap } from "./greet.ts";
import { LITERAL_MAX, octetsOf, refuseClear } from "./pass.ts";
import { type ImapCommand, literalOf, outcomeOf, parseCommand, stringsOf } from "./syntax.ts";

/** "on": the client goes on before its login. "over": it is joined to a server, or is to be disconnected. */
type Next = "on" | "over";

export class OwnFront {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async run(): Promise<void> {
    const { client } = this.#session;
    client.write(`* OK [CAPABILITY ${ownCapabilities(this.#session)}] ready\r\n`);
    for (let commands = 0; commands < COMMANDS_MAX; commands++) {
      const line = await client.line(LINE_MAX);
      const command = parseCommand(line);
      if (command === undefined) client.write("* BAD That is no command\r\n");
      else if ((await this.#command(command, line)) === "over") return;
    }
    client.write("* BYE Too many commands before the login\r\n");
  }

  async #command(command: ImapCommand, line: Buffer): Promise<Next> {
    const { client, needsTls } = this.#session;
    const { tag, name } = command;
    switch (name) {
      case "CAPABILITY":
        client.write(`* CAPABILITY ${ownCapabilities(this.#session)}\r\n`);
        break;
      case "ID":
        await this.#whole(line);
        client.write("* ID NIL\r\n");
        break;
      case "NOOP":
        break;
      case "LOGOUT":
        client.write("* BYE Logging out\r\n");
        client.write(`${tag} OK LOGOUT completed\r\n`);
        return "over";
      case "STARTTLS":
        if (!needsTls) return this.#say(`${tag} BAD STARTTLS is not available`);
        await this.#session.acceptTls(`${tag} OK Begin TLS negotiation now`);
        return "on";
      case "LOGIN":
      case "AUTHENTICATE":
        if (needsTls) {
          await refuseClear(client, command, line);
          return "on";
        }
        return this.#login(command, line);
      default:
        return this.#say(`${tag} BAD Log in first`);
    }
    return this.#say(`${tag} OK ${name} completed`);
  }

  #say(line: string): Next {
    this.#session.client.write(`${line}\r\n`);
    return "on";
  }

  async #login(command: ImapCommand, line: Buffer): Promise<Next> {
    const { tag } = command;
    const credentials =
      command.name === "LOGIN" ? await this.#loginOf(line) : await this.#exchange(line);
    if (credentials === undefined) return this.#say(`${tag} BAD The arguments are invalid`);
    if (credentials === "unknown") return this.#say(`${tag} NO This mechanism is not available`);
    const { auth_http: url } = this.#session.options;
    if (url === undefined) return this.#enter(tag, credentials);
    const answer = await this.#session.ask(url, credentials);
    if (answer.kind === "ok") {
      return this.#enter(tag, answer.credentials, answer.host && [answer.host]);
    }
    if (answer.kind === "refused") {
      this.#session.loginFailed(credentials.user, answer.status);
      this.#say(`${tag} NO ${answer.status}`);
      return answer.wait === 0 ? "over" : "on";
    }
    const why = answer.kind === "failed" ? `auth_http: ${answer.why}` : "auth_http";
    this.#session.loginFailed(credentials.user, why);
    return this.#say(`${tag} NO [UNAVAILABLE] The login cannot be checked now`);
  }

  /** Logs in to the server with the client's own tag, so that the client gets the server's own answer. */
  async #enter(
    tag: string,
    credentials: Credentials,
    hosts?: Parameters<Session["reach"]>[1],
  ): Promise<Next> {
    const session = this.#session;
    if (!isOneLine(credentials.user) || !isOneLine(credentials.password)) {
      return this.#say(`${tag} BAD The arguments are invalid`);
    }
    const reached = await session.reach(greetImap, hosts);
    if (reached.kind === "failed") {
      session.loginFailed(credentials.user, reached.why);
      return this.#say(`${tag} NO [UNAVAILABLE] The mail server cannot be reached`);
    }
    const messages =
      credentials.authorization === undefined
        ? loginMessages(tag, credentials)
        : [`${tag} AUTHENTICATE PLAIN\r\n`, `${plainMessage(credentials)}\r\n`];
    const { client, server } = session;
    server.write(messages.shift() ?? "");
    for (;;) {
      const line = await server.line(LINE_MAX);
      if (line.toString("latin1", 0, 1) === "+") {
        server.write(messages.shift() ?? "*\r\n");
        continue;
      }
      const outcome = outcomeOf(line, tag);
      if (outcome === undefined && /^\* BYE\b/i.test(line.toString("latin1"))) continue;
      client.write(line);
      if (outcome === undefined) continue;
      if (outcome === "OK") {
        session.loggedIn(credentials.user);
        session.join();
        return "over";
      }
      session.loginFailed(credentials.user, line.toString("latin1"));
      session.dropServer();
      return "on";
    }
  }

  /** The command with its literals; undefined if one is too long. */
  async #whole(first: Buffer): Promise<Buffer | undefined> {
    const { client } = this.#session;
    const parts: Buffer[] = [first];
    for (let line = first; ;) {
      const literal = literalOf(line);
      if (literal === undefined) return Buffer.concat(parts);
      if (literal.size > LITERAL_MAX || parts.length > 64) return undefined;
      if (literal.waits) client.write("+ OK\r\n");
      parts.push(await octetsOf(client, literal.size));
      line = await client.line(LINE_MAX);
      parts.push(line);
    }
  }

  async #loginOf(line: Buffer): Promise<Credentials | undefined> {
    const whole = await this.#whole(line);
    const [user, password] = whole === undefined ? [] : stringsOf(whole);
    return user === undefined || password === undefined ? undefined : { user, password };
  }

  #exchange(line: Buffer): Promise<Credentials | "unknown" | undefined> {
    const [mechanism = "", initial] = stringsOf(line);
    return exchanged(mechanism, initial, (challenge) => this.#response(challenge));
  }

  async #response(challenge: string): Promise<Buffer | undefined> {
    const { client } = this.#session;
    client.write(`+ ${challenge}\r\n`);
    return decoded((await client.line(LINE_MAX)).toString("latin1"));
  }
}

function loginMessages(tag: string, { user, password }: Credentials): string[] {
  const [name, secret] = [user, password].map((value) => Buffer.from(value).toString("latin1"));
  if (name === undefined || secret === undefined) return [];
  return [`${tag} LOGIN {${name.length}}\r\n`, `${name} {${secret.length}}\r\n`, `${secret}\r\n`];
}
