// A report of ours as a new message for the spool: from <>, to the sender of what it reports.

import { composeReport, type ReportRequest } from "../bounce.ts";
import type { NewReport, Spool, StoredMessage } from "../spool.ts";

export interface ReportServices {
  readonly hostname: string;
  readonly returnSizeLimit: number;
  readonly spool: Pick<Spool, "nextId">;
}

type Told = Pick<ReportRequest, "kind" | "recipients" | "retryUntil">;

export async function newReport(
  told: Told,
  { envelope, body }: StoredMessage,
  now: number,
  { hostname, returnSizeLimit, spool }: ReportServices,
): Promise<NewReport> {
  const { sender } = envelope;
  if (sender === null) throw new Error("a null sender gets no report");
  const id = spool.nextId();
  const request = { ...told, hostname, id, now, envelope, body, returnSizeLimit };
  const { bytes, eightBit, smtputf8 } = await composeReport(request);
  const client = { address: "", helo: hostname };
  return {
    envelope: { id, sender: null, client, receivedAt: now, eightBit, smtputf8 },
    recipients: [{ mailbox: sender }],
    bytes,
  };
}

/** How many warnings a message of this age should have had. */
export function warningsDue(
  { envelope }: StoredMessage,
  now: number,
  warnAfter: readonly number[],
): number {
  const age = now - envelope.receivedAt;
  return warnAfter.filter((after) => age >= after).length;
}

/** The beginning of the message, which holds its header or the most of it. */
export async function firstChunk({ body }: StoredMessage): Promise<Buffer> {
  for await (const chunk of body.chunks()) return chunk;
  return Buffer.alloc(0);
}
