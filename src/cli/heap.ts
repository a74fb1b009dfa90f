// Sets how much memory V8 gives to young objects and when it collects old ones. Mail that passes through needs little
// of both, but every message makes objects that live as long as its disk and its network take.
//
// By default V8 gives up to 32 MB to young objects and lets the rest grow to several times the live size: a relay that
// drains a long queue would take 370 MB. With too little room for young objects, objects that are about to die are
// moved to the old ones: a fifth of all processor time went into that.

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes of the new space: two halves of 8 MiB. */
const YOUNG = 16 * 2 ** 20;
/** Number of arrays that are alive at a time while the new space is made to grow. */
const ALIVE = 300;
/** Number of arrays after which this stops, even if V8 has not grown the space. */
const ARRAYS_MAX = 5000;
/** Milliseconds. */
const LOOK_EVERY = 1000;

export function keepHeapLean(): void {
  setFlagsFromString("--heap-growing-percent=120");
  // Each collection of young objects is small, so waking other threads for it costs more than it saves.
  setFlagsFromString("--no-parallel-scavenge");
  growYoung();
  holdYoung();
  // V8 shrinks the space again after a collection that leaves little alive.
  setInterval(holdYoung, LOOK_EVERY).unref();
}

/** V8 takes the size from the flags at the start of the process, and later from what survives. */
function growYoung(): void {
  const alive: unknown[] = [];
  for (let made = 0; made < ARRAYS_MAX && sizeOfYoung() < YOUNG; made++) {
    alive.push(Array.from({ length: 2000 }, () => made));
    if (alive.length > ALIVE) alive.splice(0, ALIVE / 2);
  }
}

/** The space grows by doubling while it is too small, and no further. */
function holdYoung(): void {
  setFlagsFromString(`--semi-space-growth-factor=${sizeOfYoung() < YOUNG ? 2 : 1}`);
}

function sizeOfYoung(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
  return space?.space_size ?? YOUNG;
}
