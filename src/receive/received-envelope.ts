// The envelope of a message that a client sends. Its size and the fields of its head are known only at its end.

import type { Draft } from "../base/given.ts";
import type { Client, MessageId } from "../mail/envelope.ts";
import type { MailRequest } from "../smtp/server/reception.ts";
import type { NewMessage } from "../spool/spool.ts";

/** `at` is the time at which its first octet came, in ms since the epoch. */
export function receivedEnvelope(
  id: MessageId,
  client: Client,
  { sender, eightBit, smtputf8, requireTls, ret, envid }: MailRequest,
  at: number,
): Draft<NewMessage["envelope"]> {
  const envelope: Draft<NewMessage["envelope"]> = {
    id,
    sender,
    client,
    receivedAt: at,
    eightBit,
    smtputf8,
  };
  if (requireTls !== undefined) envelope.requireTls = requireTls;
  if (ret !== undefined) envelope.ret = ret;
  if (envid !== undefined) envelope.envid = envid;
  return envelope;
}
