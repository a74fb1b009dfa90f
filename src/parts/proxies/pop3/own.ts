// A POP3 client before the login with auth_http, which names the server. The proxy greets, takes the login, and logs in
// to the server itself.

import { COMMANDS_MAX, commandOf, isOneLine, LINE_MAX } from "../protocol.ts";
import type { Session } from "../session.ts";
import { type Credentials, decoded, exchanged } from "../wire/sasl.ts";
import { ownCapabilities } from "./capabilities.ts";
import { greetPop3 } from "./greet.ts";
import { type Login, utf8 } from "./pass.ts";
import { isOk } from "./syntax.ts";

/** A login; or "on": the client goes on before its login; or "over": it is to be disconnected. */
type Next = Login | "on" | "over";

export class OwnFront {
  readonly #session: Session;
  readonly #hook: URL;
  #user: string | undefined;

  constructor(session: Session, hook: URL) {
    this.#session = session;
    this.#hook = hook;
  }

  /** Resolves to the login that the server has accepted; undefined when the session is over. */
  async run(): Promise<Login | undefined> {
    const { client } = this.#session;
    client.write("+OK ready\r\n");
    for (let commands = 0; commands < COMMANDS_MAX; commands++) {
      const { verb, rest } = commandOf(await client.line(LINE_MAX));
      const next = await this.#command(verb, rest);
      if (next !== "on") return next === "over" ? undefined : next;
    }
    client.write("-ERR Too many commands before the login\r\n");
    return undefined;
  }

  async #command(verb: string, rest: string): Promise<Next> {
    const { needsTls } = this.#session;
    switch (verb) {
      case "CAPA":
        return this.#say(["+OK", ...ownCapabilities(this.#session), "."].join("\r\n"));
      case "NOOP":
        return this.#say("+OK");
      case "QUIT":
        this.#say("+OK Bye");
        return "over";
      case "STLS":
        if (!needsTls) return this.#say("-ERR STLS is not available");
        await this.#session.acceptTls("+OK Begin TLS negotiation now");
        this.#user = undefined;
        return "on";
      case "USER":
      case "PASS":
      case "AUTH":
        if (needsTls) return this.#say("-ERR [AUTH] STLS is required before the login");
        return this.#login(verb, rest);
      default:
        return this.#say("-ERR Log in first");
    }
  }

  #say(line: string): Next {
    this.#session.client.write(`${line}\r\n`);
    return "on";
  }

  async #login(verb: "USER" | "PASS" | "AUTH", rest: string): Promise<Next> {
    if (verb === "USER") {
      this.#user = utf8(rest);
      return this.#say("+OK");
    }
    if (verb === "AUTH" && rest === "") return this.#say("+OK\r\nPLAIN\r\nLOGIN\r\n.");
    if (verb === "PASS" && this.#user === undefined) return this.#say("-ERR USER comes first");
    const credentials =
      verb === "AUTH"
        ? await this.#exchange(rest)
        : { user: this.#user ?? "", password: utf8(rest) };
    this.#user = undefined;
    if (credentials === undefined) return this.#say("-ERR The login is invalid");
    const answer = await this.#session.ask(this.#hook, credentials);
    if (answer.kind === "ok") return this.#enter(answer.credentials, answer.host);
    if (answer.kind === "refused") {
      this.#session.loginFailed(credentials.user, answer.status);
      this.#say(`-ERR ${answer.status}`);
      return answer.wait === 0 ? "over" : "on";
    }
    const why = answer.kind === "failed" ? `auth_http: ${answer.why}` : "auth_http";
    this.#session.loginFailed(credentials.user, why);
    return this.#say("-ERR [SYS/TEMP] The login cannot be checked now");
  }

  async #exchange(rest: string): Promise<Credentials | undefined> {
    const [mechanism = "", initial] = rest.split(" ");
    const credentials = await exchanged(mechanism, initial, (challenge) =>
      this.#response(challenge),
    );
    return credentials === "unknown" ? undefined : credentials;
  }

  async #response(challenge: string): Promise<Buffer | undefined> {
    const { client } = this.#session;
    client.write(`+ ${challenge}\r\n`);
    return decoded((await client.line(LINE_MAX)).toString("latin1"));
  }

  async #enter(
    { user, password }: Credentials,
    host: NonNullable<Parameters<Session["reach"]>[1]>[number] | undefined,
  ): Promise<Next> {
    const session = this.#session;
    if (!isOneLine(user) || !isOneLine(password)) return this.#say("-ERR The login is invalid");
    const reached = await session.reach(greetPop3, host && [host]);
    if (reached.kind === "failed") {
      session.loginFailed(user, reached.why);
      return this.#say("-ERR [SYS/TEMP] The mail server cannot be reached");
    }
    const { client, server } = session;
    server.write(Buffer.from(`USER ${user}\r\n`));
    let answer = await server.line(LINE_MAX);
    if (isOk(answer)) {
      server.write(Buffer.from(`PASS ${password}\r\n`));
      answer = await server.line(LINE_MAX);
    }
    if (isOk(answer)) return { answer, user };
    session.loginFailed(user, answer.toString("latin1"));
    client.write(answer);
    session.dropServer();
    return "on";
  }
}
