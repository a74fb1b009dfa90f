// Verifies the signatures of a message once for all scanners that ask. It has no finding of its own.
//
// Invariant: it runs after the scanners that ask it. If no scanner asks, no key is looked up in the DNS.

import {
  type Examined,
  Examination,
  type ExaminationServices,
} from "../authentication/authentication.ts";
import type { Scan, ScannedMessage, Scanner } from "../../contract/scanner.ts";

/** The question of one scanner about one message. */
export interface Question {
  /** Whether other messages use the whole budget for header sections: then this message must come again later. */
  readonly isCrowdedOut: boolean;
  /** The result, after the end of the message. Rejects if it cannot be found out. */
  answer(): Promise<Examined>;
  /** Withdraws the question. */
  drop(): void;
}

interface Asked {
  readonly examination: Examination;
  questions: number;
}

export class Examinations implements Scanner {
  readonly name = "signatures";
  readonly onError = "pass";
  readonly #services: ExaminationServices;
  readonly #asked = new WeakMap<ScannedMessage, Asked>();

  constructor(services: ExaminationServices) {
    this.#services = services;
  }

  /** Asks about a message; called when a scan begins. */
  ask(message: ScannedMessage): Question {
    const examination = new Examination(this.#services);
    const asked = this.#asked.getOrInsert(message, { examination, questions: 0 });
    asked.questions++;
    return {
      get isCrowdedOut() {
        return asked.examination.isCrowdedOut;
      },
      answer: () => asked.examination.finish(),
      drop: () => void asked.questions--,
    };
  }

  begin(message: ScannedMessage): Scan | undefined {
    const asked = this.#asked.get(message);
    if (asked === undefined) return undefined;
    const { examination } = asked;
    return {
      readsHeader: true,
      mayGo: () => true,
      header(section) {
        if (asked.questions > 0) examination.header(section);
      },
      body: (piece) => examination.body(piece),
      end: () => ({ kind: "pass" }),
      release: () => examination.abort(),
    };
  }
}
