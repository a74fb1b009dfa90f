// raw: the file of a message, octet by octet.

import { operation } from "../service/operation.ts";
import { archivedMessage, chunksOf, readMessageOrder } from "./archived.ts";
import { octetsOf } from "./message-octets.ts";

export const raw = operation({
  verb: "raw",
  access: "read",
  read: readMessageOrder,
  async *run(archive, order) {
    const { path } = await archivedMessage(archive, order);
    for await (const piece of octetsOf(path)) yield* chunksOf(piece);
  },
});
