// attachment: the content of one part of a message, without its transfer encoding.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import { operation } from "../service/operation.ts";
import { TransferDecoder } from "../text/transfer-decoder.ts";
import { viewMessage } from "../text/view.ts";
import { archivedMessage, chunksOf, type MessageOrder, readMessageOrder } from "./archived.ts";
import { octetsOf } from "./message-octets.ts";
import { Order } from "./orders.ts";

interface AttachmentOrder extends MessageOrder {
  /** From 1, as `view` counts the parts. */
  readonly number: number;
}

export const attachment = operation({
  verb: "attachment",
  access: "read",
  read: (order): AttachmentOrder => ({
    ...readMessageOrder(order),
    number: new Order(order).whole("number"),
  }),
  async *run(archive, order, signal) {
    const { path } = await archivedMessage(archive, order);
    const seen = await viewMessage(path, signal);
    const parts = seen === "gone" ? [] : seen.parts;
    const part = parts.find(({ number }) => number === order.number);
    if (part === undefined) {
      const count = parts.length === 1 ? "1 attachment" : `${parts.length} attachments`;
      throw new CommandError(`message ${order.id} has ${count}`, EXIT.notDone);
    }
    const decoder = new TransferDecoder(part.encoding);
    for await (const piece of octetsOf(path, part.start, part.end)) {
      yield* chunksOf(decoder.push(piece));
    }
    yield* chunksOf(decoder.end());
  },
});
