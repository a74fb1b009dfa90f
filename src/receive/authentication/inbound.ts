// Authentication of strangers' mail: SPF is checked while the message still comes in, DMARC when it is complete.

import type { Client, Mailbox } from "../../mail/envelope.ts";
import type { Status } from "../../mail/status.ts";
import { isVouchedFor } from "./vouched.ts";
import { createQuestions } from "./dns-questions.ts";
import type { Examined, ExaminationServices } from "./authentication.ts";
import { checkSpf } from "./mailauth.ts";
import { evaluate, refusalOf, resultsHeader, type Spf, summaryOf } from "./results.ts";

export interface InboundOptions {
  /** Our name, by which readers know whose results these are (RFC 8601 2.5). */
  readonly hostname: string;
  /** "enforce": mail is refused if it fails DMARC and its author's domain asks for that. */
  readonly policy: "tag" | "enforce";
}

type InboundServices = Pick<ExaminationServices, "resolver" | "clock">;

export interface Evaluation {
  /** The Authentication-Results field. */
  readonly header: string;
  /** The results for the log. */
  readonly summary: string;
  readonly refusal: Status | undefined;
  /** Whether the envelope sender is vouched for; undefined without an answer of the DNS. */
  readonly vouched: boolean | undefined;
}

/** Milliseconds for SPF, and as many again for DMARC. */
const TIMEOUT = 10_000;

export class Inbound {
  readonly hostname: string;
  readonly #options: InboundOptions;
  readonly #services: InboundServices;

  constructor(options: InboundOptions, services: InboundServices) {
    this.hostname = options.hostname;
    this.#options = options;
    this.#services = services;
  }

  /** Begins with SPF, before the message comes. Returns a function that evaluates the complete message. */
  begin(client: Client, sender: Mailbox | null): (message: Examined) => Promise<Evaluation> {
    const { hostname } = this;
    const spf = askSpf({ client, sender, hostname }, this.#services);
    // The message may never be finished.
    spf.catch(() => undefined);
    return async (message) => this.#evaluate(message, await spf, sender);
  }

  async #evaluate(message: Examined, spf: Spf, sender: Mailbox | null): Promise<Evaluation> {
    const { resolver, clock } = this.#services;
    const { ask, end } = createQuestions(resolver, clock, TIMEOUT);
    try {
      const results = await evaluate(message, spf, ask);
      const enforces = this.#options.policy === "enforce";
      return {
        header: resultsHeader(this.hostname, results),
        summary: summaryOf(results),
        refusal: enforces ? refusalOf(results) : undefined,
        vouched: sender === null ? undefined : await isVouchedFor(sender, results),
      };
    } finally {
      end();
    }
  }
}

interface SpfQuestion {
  readonly client: Client;
  readonly sender: Mailbox | null;
  /** Our own name. */
  readonly hostname: string;
}

/** The SPF result of the sender's domain for the client; without a sender, that of the HELO domain. */
export async function askSpf(
  { client: { address, helo }, sender, hostname }: SpfQuestion,
  { resolver, clock }: InboundServices,
): Promise<Spf> {
  const { ask, end } = createQuestions(resolver, clock, TIMEOUT);
  const from = sender === null ? "" : `${spfLocalPart(sender)}@${sender.domain}`;
  try {
    const answer = await checkSpf({ sender: from, address, helo, hostname }, ask);
    return { ...answer, identity: sender === null ? "helo" : "mailfrom" };
  } finally {
    end();
  }
}

/** The local part that a macro may put into a question. The address itself may contain any character in quotes. */
function spfLocalPart({ localPart }: Mailbox): string {
  return /^[!-?A-~]+$/.test(localPart) ? localPart : "postmaster";
}
