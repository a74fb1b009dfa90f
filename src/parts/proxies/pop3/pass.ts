// A POP3 client before the login, while a server is connected: everything passes, except STLS, which is the proxy's own,
// and logins in clear where TLS is required.
//
// Invariant: where TLS is required, no name and no password reaches the server before the handshake.

import { COMMANDS_MAX, commandOf, isPassable, LINE_MAX } from "../protocol.ts";
import { nextCommand } from "../sequence.ts";
import type { Session } from "../session.ts";
import { decoded, userOf } from "../wire/sasl.ts";
import { announced } from "./capabilities.ts";
import { isOk, listOf } from "./syntax.ts";

/** A login that the server has accepted. */
export interface Login {
  /** The server's answer. The client has not got it yet. */
  readonly answer: Buffer;
  /** Undefined if the way of logging in hides it. */
  readonly user: string | undefined;
}

const NEEDS_TLS = new Set(["USER", "PASS", "APOP", "AUTH"]);

export class PassingFront {
  readonly #session: Session;
  #user: string | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Resolves to the login that the server has accepted; undefined when the session is over. */
  async run(): Promise<Login | undefined> {
    for (let commands = 0; commands < COMMANDS_MAX; commands++) {
      const line = await nextCommand(this.#session);
      if (line === undefined) return undefined;
      const { verb, rest } = commandOf(line);
      if (verb === "QUIT") {
        await this.#pass(line);
        return undefined;
      }
      const login = await this.#command(verb, rest, line);
      if (login !== undefined) return login;
    }
    this.#session.client.write("-ERR Too many commands before the login\r\n");
    return undefined;
  }

  async #command(verb: string, rest: string, line: Buffer): Promise<Login | undefined> {
    const { client, needsTls } = this.#session;
    if (needsTls && NEEDS_TLS.has(verb)) {
      client.write("-ERR [AUTH] STLS is required before the login\r\n");
      return undefined;
    }
    switch (verb) {
      case "STLS":
        if (needsTls) {
          await this.#session.acceptTls("+OK Begin TLS negotiation now");
          this.#user = undefined;
        } else {
          client.write("-ERR STLS is not available\r\n");
        }
        return undefined;
      case "CAPA":
        await this.#list(line, (lines) => announced(lines, this.#session));
        return undefined;
      case "USER":
        this.#user = utf8(rest);
        await this.#pass(line);
        return undefined;
      case "PASS":
        return this.#judge(await this.#answer(line), this.#user);
      case "APOP":
        return this.#judge(await this.#answer(line), utf8(rest.split(" ")[0] ?? ""));
      case "AUTH":
        if (rest !== "") return this.#exchange(rest, line);
        await this.#list(line, (lines) =>
          lines.filter((one) => isPassable(one, this.#session.options)),
        );
        return undefined;
      default:
        await this.#pass(line);
        return undefined;
    }
  }

  async #answer(line: Buffer): Promise<Buffer> {
    this.#session.server.write(line);
    return this.#session.server.line(LINE_MAX);
  }

  async #pass(line: Buffer): Promise<void> {
    this.#session.client.write(await this.#answer(line));
  }

  async #list(line: Buffer, change: (lines: string[]) => string[]): Promise<void> {
    const { client, server } = this.#session;
    const first = await this.#answer(line);
    if (!isOk(first)) return client.write(first);
    const lines = change(await listOf(server));
    client.write(`${first.toString("latin1")}${[...lines, "."].join("\r\n")}\r\n`);
  }

  async #exchange(rest: string, line: Buffer): Promise<Login | undefined> {
    const { client, server, options } = this.#session;
    const [mechanism = "", initial] = rest.split(" ");
    if (!isPassable(mechanism, options)) {
      client.write("-ERR This mechanism is not available\r\n");
      return undefined;
    }
    const messages: Buffer[] = [];
    const heed = (message: string) => {
      const octets = decoded(message);
      if (octets !== undefined && messages.length < 4) messages.push(octets);
    };
    if (initial !== undefined) heed(initial);
    let answer = await this.#answer(line);
    while (answer[0] === 0x2b && !isOk(answer)) {
      client.write(answer);
      const response = await client.line(LINE_MAX);
      heed(response.toString("latin1"));
      server.write(response);
      answer = await server.line(LINE_MAX);
    }
    return this.#judge(answer, userOf(mechanism.toUpperCase(), messages));
  }

  #judge(answer: Buffer, user: string | undefined): Login | undefined {
    if (isOk(answer)) return { answer, user };
    this.#session.loginFailed(user, answer.toString("latin1"));
    this.#session.client.write(answer);
    return undefined;
  }
}

export function utf8(octets: string): string {
  return Buffer.from(octets, "latin1").toString("utf8");
}
