// What the signatures of a message are worth, found out once for all scanners that ask. It has no finding of its own.
//
// Invariant: it stands behind the scanners that ask it. What none of them wants to know is not found out: no key is asked
// for in the DNS.

import {
  type Examined,
  Examination,
  type ExaminationServices,
} from "../authentication/authentication.ts";
import type { Scan, ScannedMessage, Scanner } from "../../contract/scanner.ts";

/** The question of one scanner about one message. */
export interface Question {
  /** Others hold all that may be held of header sections: the message has to come again later. */
  readonly isCrowdedOut: boolean;
  /** Behind the end of the message. Rejects when nobody can say. */
  answer(): Promise<Examined>;
  /** It is not to be answered any more. */
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

  /** To be called when a scan begins. */
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
