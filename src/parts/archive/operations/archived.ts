// The message that an order names.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { ArchivedMessage } from "../model/message.ts";
import type { Archive } from "../service/archive.ts";
import { Order } from "./orders.ts";

export interface MessageOrder {
  readonly id: number;
  /** The accounts that the asking user may see. Absent: all. */
  readonly accounts?: readonly string[] | undefined;
}

export function readMessageOrder(given: unknown): MessageOrder {
  const order = new Order(given);
  return { id: order.whole("id"), accounts: order.accounts() };
}

/**
 * The message, and the path of its file. Throws CommandError (1) if there is none. A message of an account that the user
 * may not see is answered in the same way.
 */
export async function archivedMessage(
  { index }: Archive,
  { id, accounts }: MessageOrder,
): Promise<{ readonly message: ArchivedMessage; readonly path: string }> {
  const message = await index.message(id);
  if (message === undefined || accounts?.includes(message.account) === false) {
    throw new CommandError(`no message ${id}`, EXIT.notDone);
  }
  const path = await index.pathOf(message);
  if (path !== undefined) return { message, path };
  const what = `the file of message ${id} is gone; relayctl archive verify names it`;
  throw new CommandError(what, EXIT.notDone);
}

/** Octets in one value of an answer: 64 KiB in base64. */
const CHUNK = 48 * 1024;

export interface Chunk {
  /** In base64. */
  readonly chunk: string;
}

export function* chunksOf(octets: Buffer): Generator<Chunk, void> {
  for (let at = 0; at < octets.length; at += CHUNK) {
    yield { chunk: octets.toString("base64", at, at + CHUNK) };
  }
}
