// AUTH with a name and a password (RFC 4954): PLAIN (RFC 4616) or, if that is not offered, LOGIN.
// Invariants: the password goes out only under the TLS that was asked for; neither it nor any form of it is in a
// text that leaves this file, whatever the server repeats of it; a refusal is never final, because it says something
// about us and nothing about the mail.

import { status, saidLine, type Status } from "../../mail/status.ts";
import { type ClientConnection, ConnectionFailure } from "./connection.ts";
import { isPositive, replyStatus } from "./reply.ts";

export interface Credentials {
  readonly user: string;
  /** The least TLS under which the password is told: with a valid certificate, with any, or none at all. */
  readonly tls: "verify" | "required" | "none";
  /** Asked for at every login, so a new one needs no restart. Rejects when there is none to be had. */
  readonly password: () => Promise<string>;
}

/** Throws a {@link ConnectionFailure} if the server does not let us in. */
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

/** Each line is answered with 334, and the last one with 2xx. */
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

/** The password must not be told here: the TLS is less than what was asked for. */
export function unsafeForPassword(connection: ClientConnection): ConnectionFailure {
  return shutOut(connection, "The connection is not safe enough for a password");
}

/** 4xx is the host's own trouble; after 5xx somebody has to do something about the password. */
function refused(connection: ClientConnection, answer: Status): ConnectionFailure {
  if (answer.code < 500) return connection.fail(answer);
  return shutOut(connection, `AUTH was refused: ${saidLine(answer)}`);
}

function shutOut(connection: ClientConnection, why: string, cause?: unknown): ConnectionFailure {
  return connection.fail(status(451, "7.8", why), cause, "auth_failed");
}

/** Some servers quote the line that they do not understand, maybe cut short. */
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
