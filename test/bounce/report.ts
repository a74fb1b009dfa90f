// Requests for reports, and the look of a composed one, shared by the tests of this folder.

import { envelope, mailbox, streamedBody } from "../support/build.ts";
import { hostPlace } from "../support/place.ts";
import type { Body, Envelope } from "../../src/mail/envelope.ts";
import {
  reportDraft,
  type ReportedRecipient,
  type ReportRequest,
} from "../../src/bounce/bounce.ts";
import { type Composed, composedMessage } from "../../src/outbox/composer.ts";
import { type Status, status } from "../../src/mail/status.ts";

export const NOW = Date.UTC(2026, 10, 22, 10, 30, 0);

/** A body in pieces of 100 bytes, as the spool would give it. */
export const body = (text: string | Buffer): Body => streamedBody(Buffer.from(text), 100);

export const MESSAGE = [
  "Received: from client.example.org ([192.0.2.9]) by mx.example.com with ESMTP id 0000000001;",
  "\tSun, 22 Nov 2026 09:00:00 +0000",
  "From: Alice <alice@example.org>",
  "To: Bob <bob@example.net>",
  "Subject: Lunch",
  "Message-ID: <lunch@example.org>",
  "",
  "Half past twelve?",
  "",
].join("\r\n");

export const ENVELOPE: Envelope = envelope({
  client: { address: "192.0.2.9", helo: "client.example.org" },
  receivedAt: Date.UTC(2026, 10, 22, 9, 0, 0),
  size: MESSAGE.length,
});

/** What a remote server said. */
export function reply(...said: Parameters<typeof status>): Status {
  return { ...status(...said), remote: true };
}

export function recipient(
  address: string,
  more: Partial<ReportedRecipient> = {},
): ReportedRecipient {
  return {
    mailbox: mailbox(address),
    original: mailbox(address),
    status: reply(550, "1.1", "No such user here"),
    place: hostPlace("mx.example.net [192.0.2.1]"),
    lastAttemptAt: NOW,
    ...more,
  };
}

export function request(more: Partial<ReportRequest> = {}): ReportRequest {
  return {
    kind: "failed",
    hostname: "mx.example.com",
    now: NOW,
    envelope: ENVELOPE,
    body: body(MESSAGE),
    recipients: [recipient("bob@example.net")],
    returnSizeLimit: 100 * 1024,
    ...more,
  };
}

/** The report as it goes into the spool. */
export async function composeReport(given: ReportRequest): Promise<Composed> {
  const { hostname, now } = given;
  return composedMessage(await reportDraft(given), { id: "0000000002", hostname, now });
}

export interface Section {
  readonly header: string;
  readonly content: string;
}

/** Cuts a report into its own header and its three parts, all as latin1. */
export function sections(bytes: Buffer): { header: string; parts: Section[] } {
  const text = bytes.toString("latin1");
  const boundary = /boundary="([^"]+)"/.exec(text)?.[1] ?? "";
  const [top = "", ...rest] = text.split(`\r\n--${boundary}`);
  const parts = rest.slice(0, -1).map((part) => {
    const gap = part.indexOf("\r\n\r\n");
    return { header: part.slice(2, gap + 2), content: part.slice(gap + 4) };
  });
  return { header: top.slice(0, top.indexOf("\r\n\r\n") + 2), parts };
}
