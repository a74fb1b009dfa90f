// A relay with one submission listener, a user, and a client that has logged in.

import type { Clock } from "../../../src/base/clock.ts";
import { given } from "../../../src/base/given.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { startSink } from "../../support/sink.ts";
import { workspaceConfig } from "../../support/build.ts";
import { OURS } from "../../support/certificates.ts";
import { Wire } from "../../support/wire.ts";
import { passwordFieldOf } from "../../../src/users/passwd-file.ts";

export const LOGIN = `AUTH PLAIN ${Buffer.from("\0alice@example.com\0geheim").toString("base64")}`;

const HASH = await passwordFieldOf("geheim");

const LISTENERS = {
  none: 'tls = "none"',
  starttls: `tls = "starttls"\ncertificate = "${OURS.certificate}"\nprivate_key = "${OURS.privateKey}"`,
  implicit: `tls = "implicit"\ncertificate = "${OURS.certificate}"\nprivate_key = "${OURS.privateKey}"`,
};

export interface SubmissionRelay extends AsyncDisposable {
  readonly relay: TestRelay;
  readonly sink: Awaited<ReturnType<typeof startSink>>;
  /** A connection that has read the greeting, and said EHLO. Another `from` in 127.0.0.0/8 is another client. */
  open(from?: string): Promise<Wire>;
  /** The same, logged in as alice@example.com. */
  login(): Promise<Wire>;
}

/** `more` is further text of routers.toml. */
export async function startSubmission(
  tls: keyof typeof LISTENERS = "none",
  more = "",
  clock?: Clock,
): Promise<SubmissionRelay> {
  const sink = await startSink();
  const relay = await startTestRelay({
    config: `[[listeners]]
address = "127.0.0.1:0"
protocol = "submission"
${LISTENERS[tls]}
${more}
${workspaceConfig(sink.port)}`,
    files: {
      gmail_accounts: "alice\nbob\nal: alice\n",
      users: `alice@example.com:${HASH}::::::\n`,
    },
    ...given({ clock }),
  });
  const open = async (from?: string) => {
    const wire = await Wire.open(relay.port, "127.0.0.1", from);
    if (tls === "implicit") await wire.startTls();
    await wire.reply();
    await wire.ask("EHLO client.example.net");
    return wire;
  };
  return {
    relay,
    sink,
    open,
    async login() {
      const wire = await open();
      await wire.ask(LOGIN);
      return wire;
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
}

/** Sends one message of alice's to bob, and returns the last reply. */
export async function sendAs(wire: Wire, text: string): Promise<string> {
  await wire.ask("MAIL FROM:<alice@example.com>");
  await wire.ask("RCPT TO:<bob@example.com>");
  await wire.ask("DATA");
  wire.send(`${text}\r\n.\r\n`);
  return wire.reply();
}
