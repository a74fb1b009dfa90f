// Finds the first network of a list that contains an address, by binary search.
//
// Invariant: the result is the same as that of a scan over the networks one by one.

import type { Address, Network } from "./cidr.ts";

/**
 * The addresses of one family in segments. All addresses from one start up to the next have the same first network,
 * whose place in the list is in `places`.
 */
interface Segments {
  readonly starts: (number | bigint)[];
  /** -1: no network contains the segment. */
  readonly places: number[];
}

export class NetworkTable {
  readonly #ofFamily: Readonly<Record<4 | 6, Segments>>;

  /** Two networks are disjoint, or one contains the other, as is always so with CIDR. */
  constructor(networks: readonly Network[]) {
    this.#ofFamily = { 4: segmentsOf(networks, 4), 6: segmentsOf(networks, 6) };
  }

  /** The place in the list of the first network that contains the address; -1 if none does. */
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
    // A network comes before those that it contains.
    .toSorted((a, b) => order(a.first, b.first) || order(b.last, a.last));
  const segments: Segments = { starts: [], places: [] };
  /** The networks around the present one, the outermost first, each with the first place among it and those outside. */
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

/** Begins a segment at `start`. */
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
