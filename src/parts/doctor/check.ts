// The form of a check, and how all checks are run: side by side, each part of each within the time of the doctor.
//
// Invariants:
// - A part that has no result in time, or fails by a mistake of ours, is skipped with the reason. The other parts keep
//   their results.
// - Findings come in the order of the checks and their parts, not in the order of the answers.

import type { Clock } from "../../base/clock.ts";
import type { Configuration } from "../../config/configuration.ts";
import { describeError } from "../../observe/log.ts";
import type { CommandMeans, DryRun } from "../part.ts";
import { type CheckName, type Finding, skipped } from "./finding.ts";

/** The subject of all checks: the configuration, and the means to look at the world. */
export interface Setup {
  readonly configuration: Configuration;
  readonly chain: DryRun;
  readonly clock: Clock;
  readonly means: Pick<CommandMeans, "queue">;
  /** Aborted when the time of the doctor is over. */
  readonly signal: AbortSignal;
}

/** A piece of a check with findings of its own. */
export interface CheckPart {
  /** The subject of its findings, for a clause: "the MX of example.com". */
  readonly about: string;
  readonly findings: Promise<Finding | readonly Finding[]>;
}

export type Check = (setup: Setup) => readonly CheckPart[] | Promise<readonly CheckPart[]>;

export interface NamedFinding extends Finding {
  readonly check: CheckName;
}

/** Starts all checks at once. Never rejects. */
export async function runChecks(
  checks: readonly (readonly [CheckName, Check])[],
  setup: Setup,
): Promise<readonly NamedFinding[]> {
  const found = await Promise.all(
    checks.map(async ([check, start]) => {
      const findings = await findingsOf(start, setup);
      return findings.map((finding) => ({ check, ...finding }));
    }),
  );
  return found.flat();
}

async function findingsOf(start: Check, setup: Setup): Promise<readonly Finding[]> {
  const { signal } = setup;
  let parts: readonly CheckPart[];
  try {
    parts = await within(signal, Promise.try(start, setup));
  } catch (error) {
    return [unfinished("the check", error)];
  }
  const found = parts.map(async ({ about, findings }) => {
    try {
      return await within(signal, findings);
    } catch (error) {
      return unfinished(about, error);
    }
  });
  return (await Promise.all(found)).flat();
}

function unfinished(about: string, error: unknown): Finding {
  const why = error instanceof OutOfTime ? "no result in time" : describeError(error);
  return skipped(`${about}: ${why}`);
}

class OutOfTime extends Error {}

/** Settles like `work`, but rejects with OutOfTime as soon as the signal is aborted. */
function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(new OutOfTime());
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject);
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
