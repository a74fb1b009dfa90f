// The first error of something that goes on to its end all the same, and is told of only there: a message is read to its
// last byte whatever becomes of it, because what its client sends until then is text, and no commands.

import type { MaybePromise } from "./maybe-promise.ts";

export class FirstError {
  first: { readonly error: unknown } | undefined;

  /** Does a step, unless one has failed before. Never throws, and what it returns never rejects. */
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
