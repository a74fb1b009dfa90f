// Base32 of RFC 4648 6, without padding, as authenticator apps read it.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BITS = 5;

/** `octets` must be a multiple of five octets. */
export function base32(octets: Buffer): string {
  const bits = Array.from(octets, (octet) => octet.toString(2).padStart(8, "0")).join("");
  return Array.from(
    { length: bits.length / BITS },
    (_, index) => ALPHABET[Number.parseInt(bits.slice(index * BITS, (index + 1) * BITS), 2)],
  ).join("");
}
