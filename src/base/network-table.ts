// Networks in the order of a list, and the first of them that an address is in: found by halving, however many they are.
//
// Invariant: the answer is that of a scan over the networks one by one.

import type { Address, Network } from "./cidr.ts";

/** Of one family: from each start up to the next, the place in the list of the first network that contains it. */
interface Segments {
  readonly starts: (number | bigint)[];
  /** -1: no network contains it. */
  readonly places: number[];
}

export class NetworkTable {
  readonly #ofFamily: Readonly<Record<4 | 6, Segments>>;

  /** Any two networks are apart, or one contains the other, as CIDRs do. */
  constructor(networks: readonly Network[]) {
    this.#ofFamily = { 4: segmentsOf(networks, 4), 6: segmentsOf(networks, 6) };
  }

  /** The place in the list of the first network that contains the address; -1 when none does. */
  find({ family, value }: Address): number {
    const { starts, places } = this.#ofFamily[family];
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    return places[low - 1] ?? -1;
  }
}

function segmentsOf(networks: readonly Network[], family: 4 | 6): Segments {
  const own = networks
    .map((network, place) => ({ ...network, place }))
    .filter((one) => one.family === family)
    // A network stands in front of those that it contains.
    .toSorted((a, b) => order(a.first, b.first) || order(b.last, a.last));
  const segments: Segments = { starts: [], places: [] };
  /** Networks that contain the one at hand, the outermost first, each with the best place so far. */
  const around: { readonly last: number | bigint; readonly place: number }[] = [];
  const closeBefore = (value: number | bigint | undefined) => {
    for (let inner = around.at(-1); inner !== undefined; inner = around.at(-1)) {
      if (value !== undefined && inner.last >= value) return;
      around.pop();
      begin(segments, following(inner.last), around.at(-1)?.place ?? -1);
    }
  };
  for (const { first, last, place } of own) {
    closeBefore(first);
    const outer = around.at(-1)?.place ?? place;
    around.push({ last, place: Math.min(outer, place) });
    begin(segments, first, Math.min(outer, place));
  }
  closeBefore(undefined);
  return segments;
}

/** From `start` on it is another place. */
function begin({ starts, places }: Segments, start: number | bigint, place: number): void {
  if (starts.at(-1) === start) {
    starts.pop();
    places.pop();
  }
  starts.push(start);
  places.push(place);
}

function following(value: number | bigint): number | bigint {
  return typeof value === "bigint" ? value + 1n : value + 1;
}

function order(a: number | bigint, b: number | bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
