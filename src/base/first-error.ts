// The first error of a series of steps, which is reported only at the end of the series. For example, a message is read
// to its last byte even if it cannot be stored: until then the input of its client is text, not commands.

import type { MaybePromise } from "./maybe-promise.ts";

export class FirstError {
  first: { readonly error: unknown } | undefined;

  /** Runs a step, unless an earlier one has failed. Never throws, and a returned promise never rejects. */
  guard(step: () => MaybePromise<void>): MaybePromise<void> {
    if (this.first !== undefined) return undefined;
    try {
      const done = step();
      return done instanceof Promise ? done.catch((error: unknown) => this.set(error)) : undefined;
    } catch (error) {
      return this.set(error);
    }
  }

  set(error: unknown): void {
    this.first ??= { error };
  }
}
