// view: a message for reading.

import type { ListedMessage } from "../../../archive/archive.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { viewMessage, type ViewedPart } from "../text/view.ts";
import { operation } from "../service/operation.ts";
import { archivedMessage, readMessageOrder } from "./archived.ts";
import { listed } from "./search.ts";

export interface ViewedMessage extends ListedMessage {
  readonly text: string;
  /** As the sender wrote it; empty if there is none. */
  readonly html: string;
  readonly parts: readonly Pick<ViewedPart, "number" | "name" | "type" | "size" | "contentId">[];
  /** Why not all of it is here; empty if all is. */
  readonly flaw: string;
}

export function isViewed(value: object): value is ViewedMessage {
  return "text" in value && "parts" in value;
}

const FLAW = "the message is damaged or larger than the limits: not all of it is shown";

export const view = operation({
  verb: "view",
  access: "read",
  read: readMessageOrder,
  async *run(archive, order, signal) {
    const { message, path } = await archivedMessage(archive, order);
    const seen = await viewMessage(path, signal);
    if (seen === "gone") throw new CommandError(`${path} is gone`, EXIT.notDone);
    const { text, html, isWhole } = seen;
    const parts = seen.parts.map(({ number, name, type, size, contentId }) => ({
      number,
      name,
      type,
      size,
      contentId,
    }));
    const row = await listed(archive, message);
    yield { ...row, text, html, parts, flaw: isWhole ? "" : FLAW } satisfies ViewedMessage;
  },
});
