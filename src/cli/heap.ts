// How much memory V8 gives to what is young, and when it collects what is old. Mail that passes through needs little of
// both, but every message makes objects that live as long as its disk and its network take.
//
// Left alone, V8 gives up to 32 MB to what is young and lets the rest grow to several times what is alive: a relay that
// drains a long queue would occupy 370 MB. With too little for what is young, objects that are about to die are taken for
// old ones: a fifth of all processor time went into that.

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes of the new space: two halves of 8 MiB. */
const YOUNG = 16 * 2 ** 20;
/** Arrays that are alive at a time while the new space is made to grow. */
const ALIVE = 300;
/** So many are enough, whatever V8 makes of them. */
const ARRAYS_MAX = 5000;
/** Milliseconds. */
const LOOK_EVERY = 1000;

export function keepHeapLean(): void {
  setFlagsFromString("--heap-growing-percent=70");
  // What is young is little each time: waking other threads for it costs more than it saves.
  setFlagsFromString("--no-parallel-scavenge");
  growYoung();
  holdYoung();
  // V8 takes room away again after a collection that has left little alive.
  setInterval(holdYoung, LOOK_EVERY).unref();
}

/** V8 takes its size from the flags at the start of the process, and from what survives later. */
function growYoung(): void {
  const alive: unknown[] = [];
  for (let made = 0; made < ARRAYS_MAX && sizeOfYoung() < YOUNG; made++) {
    alive.push(Array.from({ length: 2000 }, () => made));
    if (alive.length > ALIVE) alive.splice(0, ALIVE / 2);
  }
}

/** It grows by doubling, as long as it is too small, and no further. */
function holdYoung(): void {
  setFlagsFromString(`--semi-space-growth-factor=${sizeOfYoung() < YOUNG ? 2 : 1}`);
}

function sizeOfYoung(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
  return space?.space_size ?? YOUNG;
}
