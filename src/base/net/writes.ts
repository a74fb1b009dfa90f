// Writing to a peer that may close at any moment.
//
// Invariant: a write that fails does not close the socket. When a peer refuses a message with a reply and closes, our
// next write fails, mostly before the event loop has read the reply. Node would then throw the reply away, and a 5xx
// would become a lost connection.

import type { Socket } from "node:net";

/**
 * From now on `failed` is called for each write that fails, instead of the stream's own error. Reading goes on: it
 * brings what the peer has said, and then its end.
 */
export function readToTheEnd(socket: Socket, failed: (error: Error) => void): void {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  const only =
    (written: (error?: Error | null) => void) =>
    (error?: Error | null): void => {
      if (error === undefined || error === null) written();
      else failed(error);
    };
  socket._write = (chunk, encoding, written) => write(chunk, encoding, only(written));
  if (writev === undefined) return;
  socket._writev = (chunks, written) => writev(chunks, only(written));
}
