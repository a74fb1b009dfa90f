// New messages for the tests of the index: whole extracts from a few values.

import { createHash } from "node:crypto";
import type { NewMessage } from "../../../../src/parts/archive/index/new-message.ts";
import type { Extract } from "../../../../src/parts/archive/text/extract.ts";

export const NOON = Date.UTC(2026, 0, 1, 12);

export function extractOf(text: string, extract: Partial<Extract> = {}): Extract {
  const sha256 = createHash("sha256").update(text).digest("hex");
  return {
    size: Buffer.byteLength(text),
    sha256,
    contentSha256: sha256,
    date: NOON,
    from: "Ann <ann@example.com>",
    to: "bob@example.net",
    subject: "Offer",
    messageId: "1@example.com",
    attachments: [],
    isParsed: true,
    hasAttachment: false,
    deliveryDate: undefined,
    body: text,
    attachmentTexts: [],
    ...extract,
  };
}

export function newMessage(
  name: string,
  message: Partial<Omit<NewMessage, "extract">> & { readonly extract?: Partial<Extract> } = {},
): NewMessage {
  const file = { account: "ann@example.com", directory: "", part: "new", suffix: "" } as const;
  const { extract, ...rest } = message;
  return {
    ...file,
    name,
    deliveredAt: NOON,
    ...rest,
    extract: extractOf(`body of ${name}`, extract),
  };
}
