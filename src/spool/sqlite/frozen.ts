// Messages of the spool's database that are frozen because there is nobody to be told of them.
//
// Invariants: only a message of which nothing else is frozen grows older here: a copy that is still due, and what the
// postmaster has frozen, is not among them. How long it was frozen is the sum of what passed while a relay ran, so a
// clock that is set does not count.

import type { MessageId } from "../../mail/envelope.ts";
import type { Database } from "../../base/durable/database.ts";
import { idText } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

const UNTOLD = `state = 'frozen' AND EXISTS
  (SELECT 1 FROM recipients WHERE message = id AND state = 'frozen')
  AND NOT EXISTS (SELECT 1 FROM recipients WHERE message = id AND state = 'frozen'
    AND frozen_why IS NOT 'nobody-to-tell')`;

/** See Spool.ageFrozen. Inside the caller's transaction. */
export function ageFrozen(
  database: Database,
  elapsed: number,
  after: number,
  most: number,
): MessageId[] {
  if (elapsed > 0) {
    database.run(`UPDATE messages SET frozen_for = frozen_for + ? WHERE ${UNTOLD}`, elapsed);
  }
  const over = database.all(
    `SELECT id FROM messages WHERE ${UNTOLD} AND frozen_for >= ? ORDER BY id LIMIT ?`,
    after,
    most,
  );
  return over.map(({ id }) => idText(numberOf(id)));
}
