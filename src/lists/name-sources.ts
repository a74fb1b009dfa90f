// The sources of names of all lists, each once for all that name it alike, those of other generations included.
//
// Invariant: a source that throws, rejects or does not answer in time is an error of the lookup, which defers.

import type { MaybePromise } from "../base/maybe-promise.ts";
import { Shared } from "../base/shared.ts";
import { describeError } from "../observe/log.ts";
import type { Found, NameLookup, NameServices, NameSource } from "./lookup.ts";

/** Milliseconds that a lookup may take in any case. Files have shorter times of their own. */
const PATIENCE = 5000;

export class NameSources {
  readonly #services: NameServices;
  readonly #sources = new Shared<NameSource>();

  constructor(services: NameServices) {
    this.#services = { ...services, late: new Set() };
  }

  /** `leave` must follow. */
  take(lookup: NameLookup, name: string): NameSource {
    return this.#sources.take(keyOf(lookup, name), () =>
      guarded(lookup.open(name, this.#services), this.#services),
    );
  }

  leave(lookup: NameLookup, name: string): Promise<void> {
    return this.#sources.leave(keyOf(lookup, name));
  }
}

function keyOf({ scheme }: NameLookup, name: string): string {
  return `${scheme}:${name}`;
}

function failed(cause: unknown): Found {
  return { kind: "error", error: describeError(cause) };
}

function guarded(source: NameSource, { clock }: NameServices): NameSource {
  const inTime = async (answer: Promise<Found>): Promise<Found> => {
    const { promise: late, resolve } = Promise.withResolvers<Found>();
    const timer = clock.after(PATIENCE, () => resolve({ kind: "error", error: "does not answer" }));
    try {
      return await Promise.race([answer, late]);
    } catch (cause) {
      return failed(cause);
    } finally {
      timer.cancel();
    }
  };
  return {
    find(keys): MaybePromise<Found> {
      try {
        const answer = source.find(keys);
        return answer instanceof Promise ? inTime(answer) : answer;
      } catch (cause) {
        return failed(cause);
      }
    },
    begin: () => source.begin?.(),
    accept: async () => source.accept?.(),
    close: () => source.close(),
  };
}
