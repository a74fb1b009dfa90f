// The postmaster's filters as SQL, over the columns of `messages` and `recipients`.
//
// Invariant: rows are not trusted. A damaged row fits no filter of addresses and does not break a query.

import type { AddressFilter, Filter } from "../spool.ts";

export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** Returns the condition on a row of `messages`. */
export function messageCondition(filter: Filter): Condition {
  const { sender, recipient, until, after, state } = filter;
  return allOf([
    ...(state === undefined ? [] : [{ sql: "state = ?", values: [state] }]),
    ...(until === undefined ? [] : [{ sql: "received_at <= ?", values: [until] }]),
    ...(after === undefined ? [] : [{ sql: "received_at > ?", values: [after] }]),
    ...(sender === undefined ? [] : [senderCondition(sender)]),
    ...(recipient === undefined ? [] : [hasRecipient(recipient)]),
  ]);
}

/** Returns the condition on a row of `recipients`. Without a filter every row fits. */
export function recipientCondition(filter: AddressFilter | undefined): Condition {
  return filter === undefined ? allOf([]) : addressCondition("request", "$.mailbox", filter);
}

function allOf(conditions: readonly Condition[]): Condition {
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(" AND ") || "TRUE",
    values: conditions.flatMap(({ values }) => values),
  };
}

function senderCondition(sender: AddressFilter | null): Condition {
  if (sender !== null) return addressCondition("envelope", "$.sender", sender);
  return { sql: "json_valid(envelope) AND json_type(envelope, '$.sender') = 'null'", values: [] };
}

function hasRecipient(filter: AddressFilter): Condition {
  const { sql, values } = recipientCondition(filter);
  return { sql: `EXISTS (SELECT 1 FROM recipients WHERE message = id AND ${sql})`, values };
}

function addressCondition(
  column: "envelope" | "request",
  path: "$.sender" | "$.mailbox",
  { domain, localPart }: AddressFilter,
): Condition {
  const field = (name: string) => `json_extract(${column}, '${path}.${name}')`;
  const fits = [`${field("domain")} = ?`, `${field("localPart")} = ? COLLATE NOCASE`];
  return {
    sql: `CASE WHEN json_valid(${column}) THEN ${localPart === undefined ? fits[0] : fits.join(" AND ")} END`,
    values: localPart === undefined ? [domain] : [domain, localPart],
  };
}
