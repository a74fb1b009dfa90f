// An SMTP client before the login, while a server is connected: everything passes, except STARTTLS, which is the proxy's
// own, and logins and mail in clear where TLS is required. From MAIL on, client and server are joined.
//
// Invariant: where TLS is required, no argument of AUTH reaches the server before the handshake.

import { COMMANDS_MAX, commandOf, LINE_MAX } from "../protocol.ts";
import { nextCommand } from "../sequence.ts";
import type { Session } from "../session.ts";
import { decoded, userOf } from "../wire/sasl.ts";
import { announced } from "./capabilities.ts";
import { bytesOf, type Reply, replyOf, replyText, textsOf } from "./syntax.ts";

const BEFORE_TLS = new Set(["EHLO", "HELO", "NOOP", "RSET", "QUIT", "STARTTLS", "HELP"]);

export class PassingFront {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Resolves when client and server are joined, or the session is over. */
  async run(): Promise<void> {
    for (let commands = 0; commands < COMMANDS_MAX; commands++) {
      const line = await nextCommand(this.#session);
      if (line === undefined) return;
      const { verb, rest } = commandOf(line);
      if ((await this.#command(verb, rest, line)) === "over") return;
    }
    this.#session.client.write("421 4.7.0 Too many commands before the login\r\n");
  }

  async #command(verb: string, rest: string, line: Buffer): Promise<"on" | "over"> {
    const session = this.#session;
    const { client, server, needsTls } = session;
    if (needsTls && !BEFORE_TLS.has(verb)) {
      client.write("530 5.7.0 Must issue a STARTTLS command first\r\n");
      return "on";
    }
    switch (verb) {
      case "STARTTLS":
        if (!needsTls) client.write("502 5.5.1 STARTTLS is not available\r\n");
        else if (rest !== "") client.write("501 5.5.4 STARTTLS takes no argument\r\n");
        else await session.acceptTls("220 2.0.0 Ready to start TLS");
        return "on";
      case "EHLO":
        this.#greet(await this.#answer(line));
        return "on";
      case "AUTH":
        return (await this.#login(rest, line)) ? "over" : "on";
      case "MAIL":
      case "BDAT":
      case "DATA":
        server.write(line);
        session.join();
        return "over";
      default:
        client.write(bytesOf(await this.#answer(line)));
        return verb === "QUIT" ? "over" : "on";
    }
  }

  #answer(line: Buffer): Promise<Reply> {
    this.#session.server.write(line);
    return replyOf(this.#session.server);
  }

  #greet(reply: Reply): void {
    const { client } = this.#session;
    if (reply.code !== 250) return client.write(bytesOf(reply));
    const [greeting = "", ...extensions] = textsOf(reply);
    client.write(replyText(250, [greeting, ...announced(extensions, this.#session)]));
  }

  async #login(rest: string, line: Buffer): Promise<boolean> {
    const session = this.#session;
    const { client, server } = session;
    const [mechanism = "", initial] = rest.split(" ");
    const messages: Buffer[] = [];
    const heed = (message: string) => {
      const octets = decoded(message);
      if (octets !== undefined && messages.length < 4) messages.push(octets);
    };
    if (initial !== undefined) heed(initial);
    let reply = await this.#answer(line);
    while (reply.code === 334) {
      client.write(bytesOf(reply));
      const response = await client.line(LINE_MAX);
      heed(response.toString("latin1"));
      server.write(response);
      reply = await replyOf(server);
    }
    const user = userOf(mechanism.toUpperCase(), messages);
    client.write(bytesOf(reply));
    if (reply.code !== 235) {
      session.loginFailed(user, bytesOf(reply).toString("latin1"));
      return false;
    }
    session.loggedIn(user);
    session.join();
    return true;
  }
}
