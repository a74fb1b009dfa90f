// Mail from strangers: SPF is asked while the message still comes in, DMARC when it is here.

import type { Client, Mailbox } from "../../mail/envelope.ts";
import type { Status } from "../../mail/status.ts";
import { isVouchedFor } from "./vouched.ts";
import { createQuestions } from "./dns-questions.ts";
import type { Examined, ExaminationServices } from "./authentication.ts";
import { checkSpf } from "./mailauth.ts";
import { evaluate, refusalOf, resultsHeader, type Spf, summaryOf } from "./results.ts";

export interface InboundOptions {
  /** Ours: the name by which others know whose results they are (RFC 8601 2.5). */
  readonly hostname: string;
  /** "enforce" refuses what the author's domain wants to be rejected. */
  readonly policy: "tag" | "enforce";
}

type InboundServices = Pick<ExaminationServices, "resolver" | "clock">;

export interface Evaluation {
  /** Authentication-Results. */
  readonly header: string;
  /** For the log. */
  readonly summary: string;
  readonly refusal: Status | undefined;
  /** Somebody vouches for the sender in the envelope, or nobody does; undefined when the DNS has not said. */
  readonly vouched: boolean | undefined;
}

/** Milliseconds for SPF, and again for DMARC. */
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

  /** Begins with what is known before the message; gives what says the rest. */
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
  /** Our own. */
  readonly hostname: string;
}

/** What the domain of the sender says of the client, or that of HELO if there is no sender. */
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

/** What a macro may put into a question; the address itself may hold anything in quotes. */
function spfLocalPart({ localPart }: Mailbox): string {
  return /^[!-?A-~]+$/.test(localPart) ? localPart : "postmaster";
}
