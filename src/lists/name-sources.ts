// The sources of names of all lists. Lists that name the same source share it, across generations too.
//
// Invariant: if a source throws, rejects or does not answer in time, the lookup is an error, and the mail is
// deferred.

import type { MaybePromise } from "../base/maybe-promise.ts";
import { Shared } from "../base/shared.ts";
import { describeError } from "../observe/log.ts";
import type { Found, NameLookup, NameServices, NameSource } from "./lookup.ts";
import { sourceKey } from "./lookup.ts";

/** Milliseconds that any lookup may take. Files have shorter limits of their own. */
const PATIENCE = 5000;

export class NameSources {
  readonly #services: NameServices;
  readonly #sources = new Shared<NameSource>();

  constructor(services: NameServices) {
    this.#services = { ...services, late: new Set() };
  }

  /** Takes a source. Each `take` must be followed by one `leave`. */
  take(lookup: NameLookup, name: string): NameSource {
    return this.#sources.take(sourceKey(lookup, name), () =>
      guarded(lookup.open(name, this.#services), this.#services),
    );
  }

  leave(lookup: NameLookup, name: string): Promise<void> {
    return this.#sources.leave(sourceKey(lookup, name));
  }
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
