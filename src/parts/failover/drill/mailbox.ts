// The drill's mailbox at Dovecot, by IMAP. imapflow is loaded here only.
//
// The certificate is not checked: the server is our own, and the password is the drill's, which ends with it.

import { setTimeout as sleep } from "node:timers/promises";
import type { ImapFlow } from "imapflow";
import type { ListenAddress } from "../../../base/net/listen-address.ts";
import { loopbackOf } from "../greeting.ts";

export interface Mailbox {
  /** Searches a folder for a subject. Resolves to the numbers of the messages. */
  search(folder: string, subject: string): Promise<readonly number[]>;
  /** The octets of the message with this subject; undefined if there is none. */
  message(folder: string, subject: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

export interface MailboxLogin {
  readonly address: ListenAddress;
  readonly isTls: boolean;
  readonly user: string;
  readonly password: string;
}

/** Milliseconds until a server that says nothing counts as silent. */
const PATIENCE = 15_000;
/** Milliseconds for the end of the session. */
const LOGOUT_MAX = 2000;

/** Logs in. Rejects with the reason. */
export async function openMailbox(login: MailboxLogin): Promise<Mailbox> {
  const { ImapFlow: Client } = await import("imapflow");
  const { address, isTls, user, password } = login;
  const client = new Client({
    host: loopbackOf(address.host),
    port: address.port,
    secure: isTls,
    doSTARTTLS: false,
    tls: { rejectUnauthorized: false },
    auth: { user, pass: password },
    logger: false,
    disableAutoIdle: true,
    connectionTimeout: PATIENCE,
    greetingTimeout: PATIENCE,
    socketTimeout: PATIENCE,
  });
  // Its requests reject too.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    client.close();
    throw new Error(`${address.written}: ${answerIn(error)}`, { cause: error });
  }
  return mailboxOf(client);
}

function mailboxOf(client: ImapFlow): Mailbox {
  const search = async (folder: string, subject: string) => {
    await client.mailboxOpen(folder, { readOnly: true });
    const found = await client.search({ header: { subject } });
    if (found === false || found === undefined) throw new Error(`SEARCH in ${folder} has failed`);
    return found;
  };
  return {
    search,
    async message(folder, subject) {
      const [number] = await search(folder, subject);
      if (number === undefined) return undefined;
      const fetched = await client.fetchOne(String(number), { source: true });
      return fetched === false ? undefined : fetched.source;
    },
    async close() {
      try {
        await Promise.race([client.logout(), sleep(LOGOUT_MAX)]);
      } finally {
        client.close();
      }
    },
  };
}

/** What the server has said; without an answer, what the connection has come to. */
function answerIn(error: unknown): string {
  const { message, responseText } = { message: String(error), ...fieldsOf(error) };
  return typeof responseText === "string" && responseText !== "" ? responseText : String(message);
}

function fieldsOf(error: unknown): { message?: unknown; responseText?: unknown } {
  if (!(error instanceof Error)) return {};
  const responseText: unknown = Reflect.get(error, "responseText");
  return { message: error.message, responseText };
}
