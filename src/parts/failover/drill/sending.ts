// The drill's test messages, by submission as a mail program sends them. nodemailer is the client, and loaded here only.

import { isTable } from "../../../base/table.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { loopbackOf } from "../greeting.ts";

type Listener = Configuration["listeners"][number];

export interface Sender {
  /** The address of the account, from and to which the message goes. */
  readonly address: string;
  readonly password: string;
}

/** Milliseconds that each part of the dialogue may take. */
const PATIENCE = 15_000;

/** The listener that a mail program could use; undefined without one. */
export function submissionListener({ listeners }: Configuration): Listener | undefined {
  return listeners.find((one) => isTable(one) && one["protocol"] === "submission");
}

/** Sends a test message with this subject. Resolves to the last reply; rejects with the reason. */
export async function sendTest(
  { address, tls }: Pick<Listener, "address" | "tls">,
  sender: Sender,
  subject: string,
): Promise<string> {
  const { createTransport } = await import("nodemailer");
  const client = createTransport({
    host: loopbackOf(address.host),
    port: address.port,
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    // The server is our own, and the password is the drill's.
    tls: { rejectUnauthorized: false },
    auth: { user: sender.address, pass: sender.password },
    connectionTimeout: PATIENCE,
    greetingTimeout: PATIENCE,
    socketTimeout: PATIENCE,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const { response } = await client.sendMail({
      from: sender.address,
      to: sender.address,
      subject,
      text: TEXT,
      headers: { "Auto-Submitted": "auto-generated" },
    });
    return response;
  } finally {
    client.close();
  }
}

const TEXT =
  "This is a test message of relayctl failover drill. The drill removes it, with its account.\n";
