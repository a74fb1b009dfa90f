// Which messages go, and by which rule. A dry run and a real run follow the same plan.
//
// Invariants: mail younger than `minimum` is never in a plan, nor is mail that a hold covers. By the water mark the oldest
// mail of all accounts goes first, and no more than the budget.

import type { ArchivedMessage } from "../model/message.ts";
import { type DiskUse, fullness } from "./disk.ts";
import type { RetentionOptions } from "./options.ts";
import type { AgeRules } from "./rules.ts";

/** A message that goes. */
export interface Leaving {
  readonly message: ArchivedMessage;
  /** "keep", "rules[0]", "high_water", "erase". */
  readonly rule: string;
  /** Octets and inodes that it frees, if the water mark asks for it. */
  readonly freed: Amount;
}

export interface Amount {
  readonly octets: number;
  readonly inodes: number;
}

export const NOTHING: Amount = { octets: 0, inodes: 0 };

/** What the water mark asks for, and what it gets at most. */
export interface WaterOrder {
  /** What must go until the mark is met. */
  readonly wanted: Amount;
  /** What may go now. */
  readonly allowed: Amount;
}

/** What is to go by the water mark; undefined while the file system is not fuller. `spent`: what went in 24 hours. */
export function waterOrder(
  disk: DiskUse,
  { high_water: mark, free }: Pick<RetentionOptions, "high_water" | "free">,
  spent: Amount,
): WaterOrder | undefined {
  if (fullness(disk) <= mark) return undefined;
  const { used, octets, usedInodes, inodes } = disk;
  const whole = { octets: octets * free, inodes: inodes * free };
  const wanted = {
    octets: used > octets * mark ? whole.octets : 0,
    inodes: usedInodes > inodes * mark ? whole.inodes : 0,
  };
  const allowed = {
    octets: Math.max(0, whole.octets - spent.octets),
    inodes: Math.max(0, whole.inodes - spent.inodes),
  };
  return { wanted, allowed };
}

interface Planning {
  readonly rules: AgeRules;
  /** In ms. */
  readonly minimum: number;
  /** ms since the epoch. */
  readonly now: number;
  readonly water: WaterOrder | undefined;
  /** Octets of a block. */
  readonly block: number;
}

/** Decides message by message, the oldest first. */
export class Plan {
  readonly #planning: Planning;
  /** What all messages of the plan free, and those that go by the water mark. */
  readonly #freed = { octets: 0, inodes: 0 };
  readonly #byMark = { octets: 0, inodes: 0 };
  /** The earliest time at which a message goes that stays now, in ms since the epoch. */
  nextEnd = Infinity;

  constructor(planning: Planning) {
    this.#planning = planning;
  }

  /** No later message can go. */
  isOver({ deliveredAt }: Pick<ArchivedMessage, "deliveredAt">): boolean {
    const { rules, minimum, now } = this.#planning;
    const age = now - deliveredAt;
    const isOver = age < minimum || (!this.#isWanting && age < rules.shortest);
    if (isOver) this.nextEnd = Math.min(this.nextEnd, deliveredAt + rules.shortest);
    return isOver;
  }

  /** The rule by which the message goes, if no hold covers it. */
  ruleOf(message: ArchivedMessage): string | undefined {
    const { rules, minimum, now } = this.#planning;
    if (now - message.deliveredAt < minimum) return undefined;
    const end = rules.endOf(message);
    if (end !== undefined && end.at <= now) return end.rule;
    if (end !== undefined) this.nextEnd = Math.min(this.nextEnd, end.at);
    return this.#isWanting ? "high_water" : undefined;
  }

  /** The message goes: what it frees counts. */
  leave(message: ArchivedMessage, rule: string): Leaving {
    const freed = this.#amountOf(message);
    add(this.#freed, freed);
    if (rule !== "high_water") return { message, rule, freed: NOTHING };
    add(this.#byMark, freed);
    return { message, rule, freed };
  }

  /** Whether the mark is still to be met. */
  get isShort(): boolean {
    const { water } = this.#planning;
    if (water === undefined) return false;
    const { octets, inodes } = this.#freed;
    return octets < water.wanted.octets || inodes < water.wanted.inodes;
  }

  /** The mark asks for more, and may have it: the last message may take more than what is left. */
  get #isWanting(): boolean {
    const { water } = this.#planning;
    if (water === undefined || !this.isShort) return false;
    const { wanted, allowed } = water;
    const { octets, inodes } = this.#byMark;
    const hasOctets = wanted.octets === 0 || octets < allowed.octets;
    return hasOctets && (wanted.inodes === 0 || inodes < allowed.inodes);
  }

  #amountOf({ size }: ArchivedMessage): Amount {
    const { block } = this.#planning;
    return { octets: Math.ceil(size / block) * block, inodes: 1 };
  }
}

function add(sum: { octets: number; inodes: number }, { octets, inodes }: Amount): void {
  sum.octets += octets;
  sum.inodes += inodes;
}
