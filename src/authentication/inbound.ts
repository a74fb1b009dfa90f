// Mail from strangers: SPF is asked while the message still comes in, DMARC when it is here.

import type { Client, Mailbox } from "../envelope.ts";
import type { Status } from "../status.ts";
import { createQuestions } from "./dns-questions.ts";
import type { Examined, ExaminationServices } from "./examination.ts";
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
    const spf = this.#spfOf(client, sender);
    // The message may never be finished.
    spf.catch(() => undefined);
    return async (message) => this.#evaluate(message, await spf);
  }

  async #spfOf({ address, helo }: Client, sender: Mailbox | null): Promise<Spf> {
    const { resolver, clock } = this.#services;
    const { ask, end } = createQuestions(resolver, clock, TIMEOUT);
    const from = sender === null ? "" : `${spfLocalPart(sender)}@${sender.domain}`;
    try {
      const answer = await checkSpf({ sender: from, address, helo, hostname: this.hostname }, ask);
      return { ...answer, identity: sender === null ? "helo" : "mailfrom" };
    } finally {
      end();
    }
  }

  async #evaluate(message: Examined, spf: Spf): Promise<Evaluation> {
    const { resolver, clock } = this.#services;
    const { ask, end } = createQuestions(resolver, clock, TIMEOUT);
    try {
      const results = await evaluate(message, spf, ask);
      const enforces = this.#options.policy === "enforce";
      return {
        header: resultsHeader(this.hostname, results),
        summary: summaryOf(results),
        refusal: enforces ? refusalOf(results) : undefined,
      };
    } finally {
      end();
    }
  }
}

/** What a macro may put into a question; the address itself may hold anything in quotes. */
function spfLocalPart({ localPart }: Mailbox): string {
  return /^[!-?A-~]+$/.test(localPart) ? localPart : "postmaster";
}
