// One transaction with a scripted server that offers what a test says.

import { greet, scriptedServer } from "../../support/sink.ts";
import type { Transaction } from "../../../src/smtp/client/message.ts";
import { line, never, open } from "./conversation.ts";

export const TEXT = "Subject: x\r\n\r\n.dot\r\n";

export async function transact(
  capabilities: readonly string[],
  sent: Transaction,
): Promise<{ envelope: string; recipients: unknown[]; message: string | undefined }> {
  let envelope = "";
  await using peer = await scriptedServer(async (conn) => {
    await greet(conn, ["PIPELINING", ...capabilities]);
    envelope = await conn.readUntil("DATA\r\n");
    const commands = envelope.split("\r\n").length - 2;
    conn.send(...Array.from({ length: commands }, () => "250 ok"), "354 go");
    await conn.readUntil("\r\n.\r\n");
    conn.send("250 ok");
    await conn.closed();
  });
  const conversation = await open(peer.port);
  const result = await conversation.transact(sent, never());
  await conversation.close();
  return {
    envelope,
    recipients: result.recipients.map(line),
    message: line(result.message),
  };
}
