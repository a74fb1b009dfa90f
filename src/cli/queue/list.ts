// relayctl queue list: what waits, oldest first. Read from the spool itself, with a running relay or without.

import { systemClock } from "../../clock.ts";
import type { Mailbox } from "../../envelope.ts";
import type { StoredMessage } from "../../spool.ts";
import { requireConfiguration } from "../configuration-file.ts";
import { EXIT } from "../exit.ts";
import { messageLines, messageObject, sizeText, stateWord } from "./format.ts";
import { openQueue } from "./open.ts";

export interface ListOptions {
  readonly config?: string;
  readonly json?: boolean;
  /** An address, or a domain. */
  readonly sender?: string;
  readonly recipient?: string;
  readonly state?: string;
  /** Milliseconds. */
  readonly older?: number;
}

export async function queueList(options: ListOptions): Promise<number> {
  const { relay } = await requireConfiguration(options.config);
  const now = systemClock.now();
  let count = 0;
  let bytes = 0;
  using queue = openQueue(relay.spool_directory);
  for (const message of queue?.messages(damaged) ?? []) {
    if (!isWanted(message, options, now)) continue;
    count++;
    bytes += message.envelope.size;
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify(messageObject(message, now))}\n`
        : `${messageLines(message, now).join("\n")}\n\n`,
    );
  }
  if (options.json !== true) process.stdout.write(`${summary(count, bytes)}\n`);
  return EXIT.ok;
}

function damaged(id: string, why: string): void {
  process.stderr.write(`relayctl: message ${id} cannot be read: ${why}\n`);
}

function summary(count: number, bytes: number): string {
  if (count === 0) return "No messages.";
  const size = bytes < 1024 ? `${bytes} bytes` : sizeText(bytes);
  return `${count} ${count === 1 ? "message" : "messages"}, ${size}.`;
}

function isWanted(
  { envelope, state, recipients }: StoredMessage,
  { sender, recipient, state: wanted, older }: ListOptions,
  now: number,
): boolean {
  if (older !== undefined && now - envelope.receivedAt < older) return false;
  if (wanted !== undefined && wanted !== stateWord(state)) return false;
  if (sender !== undefined && !isMeant(envelope.sender, sender)) return false;
  return recipient === undefined || recipients.some(({ mailbox }) => isMeant(mailbox, recipient));
}

/** Without case. "" and "<>" mean the null sender; without an "@", a domain is meant. */
function isMeant(mailbox: Mailbox | null, written: string): boolean {
  if (mailbox === null) return written === "" || written === "<>";
  const lower = written.toLowerCase();
  return lower === mailbox.domain || lower === mailbox.address.toLowerCase();
}
