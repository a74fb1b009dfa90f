// Memory for bodies of more than 64 KiB, all messages together. A body has a share from its arrival to the end of its
// first attempt. Without room for it, it goes to a file.
//
// Invariant: what a share has taken, it gives back once, however often it is asked to.

/** Octets of all shares together. */
const ROOM = 16 * 1024 * 1024;

export class BodyRoom {
  readonly #size: number;
  /** Octets in use. */
  taken = 0;

  constructor(size = ROOM) {
    this.#size = size;
  }

  /** Returns the share of one body. It is empty at first. */
  share(): BodyShare {
    return new BodyShare(this);
  }

  /** Takes the octets if there is room for all of them. */
  take(octets: number): boolean {
    if (this.taken + octets > this.#size) return false;
    this.taken += octets;
    return true;
  }
}

export class BodyShare {
  octets = 0;
  readonly #room: BodyRoom;

  constructor(room: BodyRoom) {
    this.#room = room;
  }

  /** Grows to `octets`. Returns false and stays as it is if there is no room. */
  grow(octets: number): boolean {
    if (!this.#room.take(octets - this.octets)) return false;
    this.octets = octets;
    return true;
  }

  giveBack(): void {
    this.#room.taken -= this.octets;
    this.octets = 0;
  }
}
