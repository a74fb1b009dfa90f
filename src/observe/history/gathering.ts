// What was recorded since the last piece of history went to its thread: one piece a message, one a refusal.
//
// Invariant: it is bounded in octets, in all and for each message: one message that makes thousands of events pushes
// out no other's. What there is no room for is counted.

import type { EventName, Events } from "../events.ts";
import { addressesIn, isRefusal, type Piece } from "./event-keys.ts";
import { eventText } from "./shortened.ts";

/** Octets of all pieces together. */
const WAITING_MAX = 16 * 1024 * 1024;
/** Octets of the events of one message; what is about the message itself may take a quarter more. */
const PIECE_MAX = 48 * 1024;
const MESSAGE_ROOM = 12 * 1024;
/** Refusals that are kept of one second. */
const REFUSALS_MAX = 20;
/** Addresses by which a message can be found: as many recipients as it may have, before and behind its redirects. */
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
  #refusals = 0;
  #lost = 0;

  /** Events that are in no piece, not even as a number. */
  get lost(): number {
    return this.#lost;
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
