// POP3 and SMTP answer commands in their order: the proxy passes one command on, and takes the next when its answer has
// passed. Commands that a client sends ahead wait in its socket.

import { LINE_MAX } from "./protocol.ts";
import type { Session } from "./session.ts";
import { Peer } from "./wire/peer.ts";

/**
 * The client's next command. Undefined when the session has ended: lines that the server sends unasked pass first. A
 * client that has ended its side is joined to the server, which may still answer.
 */
export async function nextCommand(session: Session): Promise<Buffer | undefined> {
  const { client, server } = session;
  for (;;) {
    if (session.isEnding) return undefined;
    const line = client.takeLine(LINE_MAX);
    if (line !== undefined) return line;
    const unasked = server.takeLine(LINE_MAX);
    if (unasked !== undefined) {
      client.write(unasked);
    } else if (server.isOver || client.isDestroyed) {
      return undefined;
    } else if (client.isOver) {
      session.join();
      return undefined;
    } else {
      await Peer.either(client, server);
    }
  }
}
