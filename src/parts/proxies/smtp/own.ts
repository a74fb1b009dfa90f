// An SMTP client before the login with auth_http, which names the server. The proxy greets, takes the login, and logs in
// to the server itself if that offers AUTH.

import { COMMANDS_MAX, commandOf, LINE_MAX } from "../protocol.ts";
import type { Session } from "../session.ts";
import type { Host } from "../../../mail/host.ts";
import { base64, type Credentials, decoded, exchanged, plainMessage } from "../wire/sasl.ts";
import { ownExtensions } from "./capabilities.ts";
import { greetSmtp } from "./greet.ts";
import { bytesOf, type Reply, replyOf, replyText, textsOf } from "./syntax.ts";

type Next = "on" | "over";

export class OwnFront {
  readonly #session: Session;
  readonly #hook: URL;
  #helo: string | undefined;

  constructor(session: Session, hook: URL) {
    this.#session = session;
    this.#hook = hook;
  }

  async run(): Promise<void> {
    const { client, means } = this.#session;
    client.write(`220 ${means.hostname} ESMTP ready\r\n`);
    for (let commands = 0; commands < COMMANDS_MAX; commands++) {
      const { verb, rest } = commandOf(await client.line(LINE_MAX));
      if ((await this.#command(verb, rest)) === "over") return;
    }
    client.write("421 4.7.0 Too many commands before the login\r\n");
  }

  async #command(verb: string, rest: string): Promise<Next> {
    const { client, needsTls, means } = this.#session;
    switch (verb) {
      case "EHLO":
      case "HELO":
        if (!/^[\x21-\x7e]{1,255}$/.test(rest)) return this.#say("501 5.5.4 Your name is missing");
        this.#helo = rest;
        if (verb === "HELO") return this.#say(`250 ${means.hostname}`);
        client.write(replyText(250, [means.hostname, ...ownExtensions(this.#session)]));
        return "on";
      case "NOOP":
      case "RSET":
        return this.#say("250 2.0.0 OK");
      case "QUIT":
        this.#say("221 2.0.0 Bye");
        return "over";
      case "STARTTLS":
        if (!needsTls) return this.#say("502 5.5.1 STARTTLS is not available");
        if (rest !== "") return this.#say("501 5.5.4 STARTTLS takes no argument");
        await this.#session.acceptTls("220 2.0.0 Ready to start TLS");
        this.#helo = undefined;
        return "on";
      case "AUTH":
        if (needsTls) return this.#say("530 5.7.0 Must issue a STARTTLS command first");
        if (this.#helo === undefined) return this.#say("503 5.5.1 EHLO comes first");
        return this.#login(rest);
      default:
        return this.#say(
          needsTls
            ? "530 5.7.0 Must issue a STARTTLS command first"
            : "530 5.7.0 Authentication required",
        );
    }
  }

  #say(line: string): Next {
    this.#session.client.write(`${line}\r\n`);
    return "on";
  }

  async #login(rest: string): Promise<Next> {
    const credentials = await this.#exchange(rest);
    if (credentials === "unknown") return this.#say("504 5.5.4 This mechanism is not available");
    if (credentials === undefined) return this.#say("501 5.5.2 The login is invalid");
    const answer = await this.#session.ask(this.#hook, credentials, this.#helo);
    if (answer.kind === "ok") return this.#enter(answer.credentials, answer.host);
    if (answer.kind === "refused") {
      this.#session.loginFailed(credentials.user, answer.status);
      this.#say(`${answer.code} ${answer.status}`);
      return answer.wait === 0 ? "over" : "on";
    }
    const why = answer.kind === "failed" ? `auth_http: ${answer.why}` : "auth_http";
    this.#session.loginFailed(credentials.user, why);
    return this.#say("454 4.7.0 The login cannot be checked now");
  }

  #exchange(rest: string): Promise<Credentials | "unknown" | undefined> {
    const [mechanism = "", initial] = rest.split(" ");
    return exchanged(mechanism, initial, (challenge) => this.#response(challenge));
  }

  async #response(challenge: string): Promise<Buffer | undefined> {
    const { client } = this.#session;
    client.write(`334 ${challenge}\r\n`);
    return decoded((await client.line(LINE_MAX)).toString("latin1"));
  }

  async #enter(credentials: Credentials, host: Host | undefined): Promise<Next> {
    const session = this.#session;
    const reached = await session.reach(greetSmtp(session.means.hostname), host && [host]);
    if (reached.kind === "failed") {
      session.loginFailed(credentials.user, reached.why);
      return this.#say("421 4.4.1 The mail server cannot be reached") && "over";
    }
    const reply = await this.#present(credentials);
    if (reply !== undefined && reply.code !== 235) {
      session.loginFailed(credentials.user, bytesOf(reply).toString("latin1"));
      session.client.write(bytesOf(reply));
      session.dropServer();
      return "on";
    }
    session.loggedIn(credentials.user);
    session.client.write(reply === undefined ? "235 2.0.0 OK\r\n" : bytesOf(reply));
    session.join();
    return "over";
  }

  /** The server's reply to the login; undefined if it does not offer one, so that the hook's word is all. */
  async #present(credentials: Credentials): Promise<Reply | undefined> {
    const { server } = this.#session;
    server.write(`EHLO ${this.#helo ?? this.#session.means.hostname}\r\n`);
    const ehlo = await replyOf(server);
    const offered = textsOf(ehlo).find((line) => /^AUTH[ =]/i.test(line));
    if (offered === undefined) return undefined;
    const answer = (line: string) => {
      server.write(`${line}\r\n`);
      return replyOf(server);
    };
    if (/\bPLAIN\b/i.test(offered)) return answer(`AUTH PLAIN ${plainMessage(credentials)}`);
    const asked = await answer("AUTH LOGIN");
    if (asked.code !== 334) return asked;
    const named = await answer(base64(credentials.user));
    return named.code === 334 ? answer(base64(credentials.password)) : named;
  }
}
