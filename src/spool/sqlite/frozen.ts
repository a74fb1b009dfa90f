// Messages of the spool's database that are frozen only because no sender can be told of the failure.
//
// Invariants:
// - Only a message that is frozen for no other reason gets older here. A message with a copy that is still due, or
//   frozen by the postmaster, does not.
// - The age is the sum of the time that passed while a relay ran, so setting the clock does not change it.

import type { MessageId } from "../../mail/envelope.ts";
import type { Database } from "../../base/durable/database.ts";
import { idText } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

const UNTOLD = `state = 'frozen' AND EXISTS
  (SELECT 1 FROM recipients WHERE message = id AND state = 'frozen')
  AND NOT EXISTS (SELECT 1 FROM recipients WHERE message = id AND state = 'frozen'
    AND frozen_why IS NOT 'nobody-to-tell')`;

/** As Spool.ageFrozen. Runs inside the caller's transaction. */
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
