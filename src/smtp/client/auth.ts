// AUTH with a name and a password (RFC 4954): PLAIN (RFC 4616) or, if that is not offered, LOGIN.
//
// Invariants:
// - The password is sent only under the TLS that the credentials require.
// - No text that leaves this file contains the password in any form, even if the server repeats it.
// - A refusal is never final, because it is about the relay and not about the mail.

import { status, saidLine, type Status } from "../../mail/status.ts";
import { type ClientConnection, ConnectionFailure } from "./connection.ts";
import { isPositive, replyStatus } from "./reply.ts";

export interface Credentials {
  readonly user: string;
  /** The least TLS under which the password is sent: with a valid certificate, with any certificate, or without TLS. */
  readonly tls: "verify" | "required" | "none";
  /** Called at every login, so a new password needs no restart. Rejects if the password cannot be read. */
  readonly password: () => Promise<string>;
}

/** Logs in. Throws a {@link ConnectionFailure} if the server refuses. */
export async function logIn(
  connection: ClientConnection,
  offered: readonly string[],
  { user, password }: Credentials,
  timeout: number,
): Promise<void> {
  const isPlain = offered.includes("PLAIN");
  if (!isPlain && !offered.includes("LOGIN")) {
    throw shutOut(connection, "The host offers neither AUTH PLAIN nor AUTH LOGIN");
  }
  const secret = await password().catch((error: unknown) => {
    throw shutOut(connection, "No password to show to the host", error);
  });
  const shown = isPlain ? [base64(`\0${user}\0${secret}`)] : [base64(user), base64(secret)];
  try {
    await say(connection, isPlain ? [`AUTH PLAIN ${shown[0]}`] : ["AUTH LOGIN", ...shown], timeout);
  } catch (error) {
    throw error instanceof ConnectionFailure ? discreet(error, [secret, ...shown]) : error;
  }
}

/** Sends the lines one by one. The server must answer each with 334, and the last one with 2xx. */
async function say(
  connection: ClientConnection,
  lines: readonly string[],
  timeout: number,
): Promise<void> {
  for (const [index, line] of lines.entries()) {
    connection.send(`${line}\r\n`, 1);
    const reply = await connection.reply("AUTH", timeout);
    if (reply.code >= 400) throw refused(connection, replyStatus(reply));
    if (isPositive(reply) !== (index === lines.length - 1)) throw connection.outOfStep("AUTH");
  }
}

/** The failure of a connection with less TLS than the credentials require: the password is not sent. */
export function unsafeForPassword(connection: ClientConnection): ConnectionFailure {
  return shutOut(connection, "The connection is not safe enough for a password");
}

/** The failure after a refusal: 4xx is the host's own trouble. 5xx means that the postmaster must fix the password. */
function refused(connection: ClientConnection, answer: Status): ConnectionFailure {
  if (answer.code < 500) return connection.fail(answer);
  return shutOut(connection, `AUTH was refused: ${saidLine(answer)}`);
}

function shutOut(connection: ClientConnection, why: string, cause?: unknown): ConnectionFailure {
  return connection.fail(status(451, "7.8", why), cause, "auth_failed");
}

/** Hides the server's text if it repeats a secret: some servers quote the line that they refuse, or a part of it. */
function discreet(failure: ConnectionFailure, secrets: readonly string[]): ConnectionFailure {
  const { status: why, cause, error } = failure;
  const words = why.text.split(/[^\w+/=]+/).filter((word) => word.length > 3);
  const repeats = secrets.some(
    (secret) => why.text.includes(secret) || words.some((word) => secret.includes(word)),
  );
  if (!repeats) return failure;
  return new ConnectionFailure(
    { ...why, text: "AUTH was refused, in words that repeat what was sent" },
    cause,
    error,
  );
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
