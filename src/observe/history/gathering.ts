// Collects the events recorded since the history thread was last given something: one piece for each message and each
// refusal.
//
// Invariant: it is bounded in octets, in all and for each message. A message with thousands of events does not displace
// the events of others. Events without room are counted.

import type { EventName, Events } from "../events.ts";
import { addressesIn, isRefusal, type Piece } from "./event-keys.ts";
import { eventText } from "./shortened.ts";

/** Octets of all pieces together. */
const WAITING_MAX = 16 * 1024 * 1024;
/**
 * Octets of the events of one message. Events about the message itself, not about a recipient, may take MESSAGE_ROOM
 * more.
 */
const PIECE_MAX = 48 * 1024;
const MESSAGE_ROOM = 12 * 1024;
/** Number of refusals that are kept for each second. */
const REFUSALS_MAX = 20;
/**
 * Number of addresses by which a message can be found: as many as a message may have recipients, before and after
 * redirects.
 */
const ADDRESSES_MAX = 2000;
const REFUSED_ADDRESSES_MAX = 20;

interface Gathered extends Omit<Piece, "addresses"> {
  events: string;
  count: number;
  leftOut: number;
  readonly addresses: Set<string>;
}

export class Gathering {
  readonly #pieces = new Map<string, Gathered>();
  #octets = 0;
  #refusals: number;
  #lost = 0;

  /** `refusals` is the number of refusals of this second before. */
  constructor(refusals = 0) {
    this.#refusals = refusals;
  }

  /** Number of refusals of this second, also of those that were left out. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Number of events that were not even counted in a piece. */
  get lost(): number {
    return this.#lost;
  }

  /** Number of pieces. */
  get size(): number {
    return this.#pieces.size;
  }

  get isEmpty(): boolean {
    return this.#pieces.size === 0;
  }

  get pieces(): readonly Piece[] {
    return Array.from(this.#pieces.values(), (piece) => ({
      ...piece,
      addresses: [...piece.addresses],
    }));
  }

  refusal(name: EventName, fields: Events[EventName], at: number): void {
    if (this.#refusals++ < REFUSALS_MAX) this.add(`-${this.#refusals}`, name, fields, at);
  }

  add(key: string, name: EventName, fields: Events[EventName], at: number): void {
    const known = this.#pieces.get(key);
    const room = PIECE_MAX + ("recipient" in fields ? 0 : MESSAGE_ROOM);
    if (known !== undefined && known.events.length >= room) {
      known.leftOut++;
      return;
    }
    if (this.#octets >= WAITING_MAX) {
      this.#lost++;
      return;
    }
    const event = eventText(at, name, fields);
    this.#octets += event.length;
    const piece = known ?? this.#begin(key, at);
    piece.events += piece.count === 0 ? event : `,${event}`;
    piece.count++;
    const most = isRefusal(name) ? REFUSED_ADDRESSES_MAX : ADDRESSES_MAX;
    for (const address of addressesIn(fields, key)) {
      if (piece.addresses.size >= most) break;
      piece.addresses.add(address);
    }
  }

  #begin(key: string, at: number): Gathered {
    const piece = { key, at, events: "", count: 0, leftOut: 0, addresses: new Set<string>() };
    this.#pieces.set(key, piece);
    return piece;
  }
}
