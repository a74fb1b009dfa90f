// An SMTP server whose reply to each RCPT is chosen by the test, word for word: "450 4.2.1 too quickly". The test may
// change it at any time. 421 closes the connection. "drop" closes it without a reply.

import { greet, type ScriptedServer, scriptedServer } from "./sink.ts";

export interface AnsweringServer extends ScriptedServer {
  /** The recipients of each accepted message, in order. */
  readonly taken: readonly (readonly string[])[];
  /** Every recipient of a RCPT, in order. */
  readonly asked: readonly string[];
  /** Resolves when `count` messages have been accepted. */
  taking(count: number): Promise<void>;
}

/** `before` is the number of recipients that this transaction has already. Undefined: the recipient is accepted. */
export type Answer = (recipient: string, before: number) => string | undefined;

/**
 * `greeting` says whether a connection is greeted; without a greeting it is closed. `end` is the reply that refuses the
 * message at its end. If the sender is dropmail@, the server hangs up.
 */
export async function answeringServer(
  answer: Answer = () => undefined,
  greeting: () => boolean = () => true,
  end: (recipients: readonly string[], sender: string) => string | undefined = () => undefined,
): Promise<AnsweringServer> {
  const taken: string[][] = [];
  const asked: string[] = [];
  const waiting = new Set<() => void>();
  const server = await scriptedServer(async (conn) => {
    if (!greeting()) return;
    await greet(conn);
    let recipients: string[] = [];
    let sender = "";
    for (;;) {
      const line = await conn.readLine();
      const recipient = /^RCPT TO:<([^>]+)>/.exec(line)?.[1];
      if (recipient !== undefined) {
        asked.push(recipient);
        const reply = answer(recipient, recipients.length) ?? "250 2.1.5 ok";
        if (reply === "drop") return;
        conn.send(reply);
        if (reply.startsWith("421")) return;
        if (reply.startsWith("2")) recipients.push(recipient);
      } else if (line === "DATA") {
        conn.send(recipients.length > 0 ? "354 go on" : "503 5.5.1 no recipients");
        if (recipients.length === 0) continue;
        await conn.readUntil("\r\n.\r\n");
        const refusal = end(recipients, sender);
        conn.send(refusal ?? "250 2.0.0 taken");
        if (refusal?.startsWith("421") === true) return;
        if (refusal === undefined) taken.push(recipients);
        recipients = [];
        for (const look of waiting) look();
      } else {
        if (line.startsWith("MAIL")) {
          recipients = [];
          sender = /^MAIL FROM:<([^>]*)>/.exec(line)?.[1] ?? "";
          if (sender.startsWith("dropmail@")) return;
        }
        conn.send("250 2.0.0 ok");
        if (line === "QUIT") return;
      }
    }
  });
  return {
    get port() {
      return server.port;
    },
    get connections() {
      return server.connections;
    },
    taken,
    asked,
    taking: (count) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Error(`${taken.length} of ${count} messages were taken`)),
          10_000,
        );
        const look = () => {
          if (taken.length < count) return;
          waiting.delete(look);
          clearTimeout(late);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
