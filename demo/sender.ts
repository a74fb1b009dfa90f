// A sender of mail to the relay, with an address of its own, by nodemailer.

import { setTimeout } from "node:timers/promises";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { type Letter, withHeader } from "./letters.ts";

export interface Sender {
  /** The address that the relay sees. */
  readonly address: string;
  readonly helo: string;
}

export interface Post {
  readonly from: string;
  readonly to: readonly string[];
  readonly by: Sender;
  readonly letter: Letter;
  /** A header that the sender adds and the relay takes out again. */
  readonly header?: string;
}

export interface Answer {
  /** The last reply of the relay, or the error. */
  readonly reply: string;
  readonly accepted: boolean;
  /** The id that the relay gave the message; "" if the relay did not accept it. */
  readonly id: string;
}

/** Sends one message on a connection of its own. */
export async function sendOne(port: number, post: Post): Promise<Answer> {
  using line = await Line.open(post.by, port);
  return await line.send(post);
}

const CONNECTIONS = 8;
/** Milliseconds between two messages on one connection. */
const PAUSE = 40;

/** Sends many messages over a few connections. Returns those without a 250. */
export async function sendAll(
  port: number,
  posts: readonly Post[],
  onAccepted: (post: Post) => void,
): Promise<Post[]> {
  const waiting = [...posts];
  const unanswered: Post[] = [];
  const sendSome = async () => {
    const lines = new Map<Sender, Line>();
    for (let post = waiting.shift(); post !== undefined; post = waiting.shift()) {
      const answer = await answerTo(post, port, lines);
      if (answer.accepted) onAccepted(post);
      else unanswered.push(post);
      await setTimeout(PAUSE);
    }
    for (const line of lines.values()) line[Symbol.dispose]();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sendSome));
  return unanswered;
}

async function answerTo(post: Post, port: number, lines: Map<Sender, Line>): Promise<Answer> {
  try {
    const line = lines.get(post.by) ?? (await Line.open(post.by, port));
    lines.set(post.by, line);
    return await line.send(post);
  } catch (error) {
    return failed(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A connection to the relay. */
class Line implements Disposable {
  readonly #connection: SMTPConnection;
  readonly #lost: Promise<Answer>;

  private constructor({ address, helo }: Sender, port: number) {
    this.#connection = new SMTPConnection({
      host: "127.0.0.1",
      port,
      localAddress: address,
      name: helo,
      tls: { rejectUnauthorized: false },
    });
    this.#lost = new Promise((resolve) => {
      this.#connection.once("error", (error) => resolve(failed(error)));
      this.#connection.once("end", () => resolve(failed(new Error("the connection was lost"))));
    });
  }

  /** Connects, and sends EHLO and, if the relay offers it, STARTTLS. */
  static async open(sender: Sender, port: number): Promise<Line> {
    const line = new Line(sender, port);
    const lost = line.#lost.then(({ reply }) => {
      throw new Error(reply);
    });
    const open = new Promise<void>((resolve) => line.#connection.connect(() => resolve()));
    await Promise.race([open, lost]);
    lost.catch(() => undefined);
    return line;
  }

  send({ from, to, letter, header }: Post): Promise<Answer> {
    const bytes = header === undefined ? letter.bytes : withHeader(header, letter.bytes);
    const answer = new Promise<Answer>((resolve) => {
      this.#connection.send({ from, to: [...to] }, bytes, (error, info) => {
        if (error) resolve(failed(error));
        else resolve(accepted(info?.response ?? ""));
      });
    });
    return Promise.race([this.#lost, answer]);
  }

  [Symbol.dispose](): void {
    this.#connection.quit();
  }
}

function accepted(reply: string): Answer {
  return { reply, accepted: true, id: /queued as (\w+)/.exec(reply)?.[1] ?? "" };
}

function failed(error: Error): Answer {
  const reply = "response" in error && typeof error.response === "string" ? error.response : "";
  return { reply: reply === "" ? error.message : reply, accepted: false, id: "" };
}
