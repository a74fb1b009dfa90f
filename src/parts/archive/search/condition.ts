// What a search asks of a message: a closed union of plain values, so it can be written as JSON, compared and kept.

import type { Words } from "./tokens.ts";

/** The texts of a message that can be searched one by one. `to` holds Cc and the envelope's recipients too. */
export const TEXT_FIELDS = ["subject", "from", "to", "body", "attachment", "filename"] as const;

export type TextField = (typeof TEXT_FIELDS)[number];

/** From `from` on, up to but not including `before`. At least one of them is there. */
export interface Range {
  readonly from?: number;
  readonly before?: number;
}

export type Condition =
  | { readonly kind: "all" | "any"; readonly of: readonly Condition[] }
  | { readonly kind: "not"; readonly of: Condition }
  /** The words stand one after the other in the field, or in any field. */
  | { readonly kind: "words"; readonly words: Words; readonly field?: TextField }
  /** By the delivery, in ms. */
  | { readonly kind: "delivered"; readonly range: Range }
  /** By the Date field, in ms. A message without one does not match. */
  | { readonly kind: "sent"; readonly range: Range }
  /** In octets. */
  | { readonly kind: "size"; readonly range: Range }
  /** An address, a domain, or a local part in any domain. A domain may follow "@". */
  | { readonly kind: "account"; readonly account: string }
  /** The name of a folder, whatever the case. "Archive/*": all folders below. */
  | { readonly kind: "folder"; readonly folder: string }
  /** The Message-ID, without its angle brackets. */
  | { readonly kind: "messageId"; readonly id: string }
  | { readonly kind: "hasAttachment" };
