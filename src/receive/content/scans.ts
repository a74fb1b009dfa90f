// All scans of one message. Each gets the parts of the message that it wants, and their findings become one
// judgement.
//
// Invariants:
// - If a scan throws or is late, it has no finding. It delays neither the message nor the other scans.
// - A missing finding never refuses a message for good.
// - If several scanners refuse, the first one in their order decides.

import type { Clock } from "../../base/clock.ts";
import { FirstError } from "../../base/first-error.ts";
import type { Draft } from "../../base/given.ts";
import { type MaybePromise, together } from "../../base/maybe-promise.ts";
import type {
  Finding,
  Scan,
  ScannedMessage,
  Scanner,
  Shown,
  UnwantedFields,
} from "../../contract/scanner.ts";
import type { HeaderSection } from "../header/header.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { LOCAL_ERROR, type Status } from "../../mail/status.ts";

export interface ScanServices {
  readonly clock: Clock;
  readonly log: Log;
}

/** The combined result of all findings on one message. */
export interface Judgement extends Shown {
  readonly refusal?: Status;
  /** Whole fields that are put on top of the message; "" for none. */
  readonly fields: string;
  /** "NAME: WHY" of each scanner without a finding. */
  readonly unknown: readonly string[];
}

export function beginScans<Message extends ScannedMessage>(
  scanners: readonly Scanner<Message>[],
  message: Message,
  services: ScanServices,
): Scans {
  return new Scans(scanners.flatMap((scanner) => begun(scanner, message, services) ?? []));
}

/** The scan; undefined if the scanner does not examine this message. */
function begun<Message extends ScannedMessage>(
  scanner: Scanner<Message>,
  message: Message,
  services: ScanServices,
): RunningScan | undefined {
  try {
    const scan = scanner.begin(message);
    return scan && new RunningScan(scanner, scan, services);
  } catch (error) {
    return new RunningScan(scanner, failed(error), services);
  }
}

function failed(error: unknown): Scan {
  return {
    end() {
      throw error;
    },
  };
}

export class Scans {
  readonly #all: readonly RunningScan[];

  constructor(all: readonly RunningScan[]) {
    this.#all = all;
  }

  get unwanted(): readonly UnwantedFields[] {
    return this.#all.flatMap(({ scan }) => scan.unwanted ?? []);
  }

  get readsHeader(): boolean {
    return this.#all.some(({ scan }) => scan.readsHeader === true);
  }

  /** Whether the message may begin to go out before its end. */
  get mayGo(): boolean {
    return this.#all.every(({ scan }) => scan.mayGo?.() === true);
  }

  header(section: HeaderSection): void {
    for (const one of this.#all) one.header(section);
  }

  /** If it returns a promise, the next piece must wait for it. Never rejects. */
  body(piece: Buffer): MaybePromise<void> {
    let ready: MaybePromise<void> = undefined;
    for (const one of this.#all) ready = together(ready, one.body(piece));
    return ready;
  }

  /** The judgement, after the last octet. Never rejects. */
  async judge(): Promise<Judgement> {
    const asked: (readonly [name: string, finding: MaybePromise<Finding>])[] = [];
    for (const one of this.#all) {
      const finding = one.end();
      asked.push([one.name, finding]);
      // A refusal decides, so the scanners after it are not asked.
      if (!(finding instanceof Promise) && finding.kind === "refuse") break;
    }
    const judgement: Draft<Judgement> = { fields: "", unknown: [] };
    for (const [name, finding] of asked) {
      add(finding instanceof Promise ? await finding : finding, name, judgement);
      if (judgement.refusal !== undefined) break;
    }
    this.release();
    return judgement;
  }

  /** Releases all scans. */
  release(): void {
    for (const one of this.#all) one.release();
  }
}

/** Adds the finding of the scanner `name`. */
function add(finding: Finding, name: string, to: Draft<Judgement>): void {
  const { authentication, vouched, relayed } = finding;
  if (authentication !== undefined) to.authentication = authentication;
  if (vouched !== undefined) to.vouched = vouched;
  if (relayed !== undefined) to.relayed = relayed;
  if (finding.kind === "tag") to.fields += finding.fields;
  if (finding.kind === "refuse") to.refusal = finding.status;
  if (finding.kind === "unknown") to.unknown = [...to.unknown, `${name}: ${finding.why}`];
}

/** One error for all scans: an error of its own for each scan of each message would cost a stack trace each time. */
const OVER = new Error("the scan is over");

type Manner = Pick<Scanner, "name" | "onError" | "timeout">;

/** One scan of one message. An error of the scan is never an error of the message. */
class RunningScan {
  readonly scan: Scan;
  readonly #scanner: Manner;
  readonly #services: ScanServices;
  readonly #failure = new FirstError();
  #isReleased = false;

  constructor(scanner: Manner, scan: Scan, services: ScanServices) {
    this.scan = scan;
    this.#scanner = scanner;
    this.#services = services;
  }

  get name(): string {
    return this.#scanner.name;
  }

  header(section: HeaderSection): void {
    void this.#failure.guard(() => this.scan.header?.(section));
  }

  body(piece: Buffer): MaybePromise<void> {
    return this.#failure.guard(() => this.#inTime(this.scan.body?.(piece)));
  }

  end(): MaybePromise<Finding> {
    const { first } = this.#failure;
    if (first !== undefined) return this.#noFinding(first.error);
    try {
      const finding = this.#inTime(this.scan.end());
      return finding instanceof Promise ? finding.catch(this.#noFinding) : finding;
    } catch (error) {
      return this.#noFinding(error);
    }
  }

  readonly #noFinding = (error: unknown): Finding => {
    const why = describeError(error);
    this.#services.log.event("relay.error", { where: `scanner ${this.name}`, error: why });
    return this.#scanner.onError === "defer"
      ? { kind: "refuse", status: LOCAL_ERROR }
      : { kind: "unknown", why };
  };

  #inTime<T>(answer: MaybePromise<T>): MaybePromise<T> {
    const { timeout } = this.#scanner;
    if (timeout === undefined || !(answer instanceof Promise)) return answer;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.#services.clock.after(timeout, () => {
      reject(new Error(`no answer within ${timeout} ms`));
    });
    return Promise.race([answer, late]).finally(() => timer.cancel());
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#failure.set(OVER);
    try {
      this.scan.release?.();
    } catch (error) {
      this.#noFinding(error);
    }
  }
}
