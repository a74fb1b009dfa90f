// An engine of the spool without a disk, for tests and for dry runs of an attempt.
//
// Invariants: those of ../spool.ts, except those about the disk. A spool that is closed and opened again has its former
// content while this engine lives. The content ends with the process.

import type { Clock } from "../../base/clock.ts";
import { waitAfterInterruptions } from "../engine/interrupted.ts";
import type { SpoolEngine } from "../engine/spool-engine.ts";
import { SpoolInUse } from "../spool.ts";
import { MemorySpool } from "./memory-spool.ts";
import { mendTimes, Tables } from "./tables.ts";
import { memoryView } from "./view.ts";

export interface MemoryEngine extends SpoolEngine {
  open(...given: Parameters<SpoolEngine["open"]>): Promise<MemorySpool>;
}

/** Returns a new spool of its own, which cannot be opened again. */
export function memorySpool(clock: Clock): MemorySpool {
  return new MemorySpool(new Tables(), clock, () => undefined);
}

interface Kept {
  readonly tables: Tables;
  isOpen: boolean;
}

export function memoryEngine(): MemoryEngine {
  const spools = new Map<string, Kept>();
  const keptIn = (directory: string): Kept => {
    const kept = spools.get(directory) ?? { tables: new Tables(), isOpen: false };
    spools.set(directory, kept);
    return kept;
  };
  return {
    async open(directory, { clock, log }) {
      const kept = keptIn(directory);
      if (kept.isOpen) throw new SpoolInUse(directory);
      kept.isOpen = true;
      const { tables } = kept;
      const inFlight = recover(tables, clock.now());
      log.event("spool.recovered", { messages: tables.rows.size, in_flight: inFlight });
      return new MemorySpool(tables, clock, () => (kept.isOpen = false));
    },
    async view(directory) {
      const kept = spools.get(directory);
      return kept && memoryView(kept.tables);
    },
    exists: async (directory) => spools.has(directory),
    files: () => [],
  };
}

/**
 * Makes interrupted attempts due, and mail put off by a clock that was ahead. Returns the number of interrupted ones.
 */
function recover(tables: Tables, now: number): number {
  mendTimes(tables, now);
  const active = tables.inOrder().filter(({ message }) => message.state === "active");
  for (const row of active) {
    const interruptions = row.interruptions + 1;
    const message = { ...row.message, state: "queued", interrupted: true } as const;
    const nextAttempt = now + waitAfterInterruptions(interruptions);
    tables.set({ ...row, message, interruptions, nextAttempt, scheduledAt: now });
  }
  return active.length;
}
