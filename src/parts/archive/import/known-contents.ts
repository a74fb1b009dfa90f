// The set of contents that an account has, by their SHA-256: for a million messages, 32 MB of memory at most.

/** Octets of a hash that are remembered. Two contents have them in common only if somebody breaks SHA-256. */
const KEY = 16;
const FIRST_CAPACITY = 1024;

export class KnownContents {
  #keys = Buffer.alloc(FIRST_CAPACITY * KEY);
  #capacity = FIRST_CAPACITY;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(sha256: Buffer): boolean {
    return this.#find(sha256).isFound;
  }

  add(sha256: Buffer): void {
    if (this.#size * 2 >= this.#capacity) this.#grow();
    const { at, isFound } = this.#find(sha256);
    if (isFound) return;
    sha256.copy(this.#keys, at, 0, KEY);
    this.#size += 1;
  }

  /** The place of the key, or the free one where it belongs. A hash of zeros alone does not exist. */
  #find(sha256: Buffer): { readonly at: number; readonly isFound: boolean } {
    let slot = sha256.readUInt32LE(0) % this.#capacity;
    for (;;) {
      const at = slot * KEY;
      if (this.#keys.compare(sha256, 0, KEY, at, at + KEY) === 0) return { at, isFound: true };
      if (this.#keys.readBigUInt64LE(at) === 0n && this.#keys.readBigUInt64LE(at + 8) === 0n) {
        return { at, isFound: false };
      }
      slot = (slot + 1) % this.#capacity;
    }
  }

  #grow(): void {
    const before = this.#keys;
    this.#capacity *= 2;
    this.#keys = Buffer.alloc(this.#capacity * KEY);
    this.#size = 0;
    for (let at = 0; at < before.length; at += KEY) {
      const key = before.subarray(at, at + KEY);
      if (key.some((octet) => octet !== 0)) this.add(key);
    }
  }
}
