// The sessions of a server, with the one timer that watches their deadlines.
//
// Invariants:
// - `stop` lets each session end what is under way within its grace time, and resolves when none is left.
// - An error in one session ends that session only.

import type { Clock, Timer } from "../clock.ts";

export interface ServedSession {
  /** Ends the session if the client takes too long. `now` is by the monotonic clock. Called about every second. */
  watch(now: number): void;
  /** The server stops: the session ends now, or after what is under way. */
  drain(): void;
  /** Cuts the connection. */
  destroy(): void;
}

/** Milliseconds between two checks of all deadlines. */
const WATCH_INTERVAL = 1000;

export class Sessions<Session extends ServedSession> {
  readonly #clock: Clock;
  readonly #onError: (session: Session, error: unknown) => void;
  readonly #all = new Set<Session>();
  #watch: Timer | undefined;
  #whenEmpty: (() => void) | undefined;

  /** `onError` gets the relay's own errors; the session is cut off then. */
  constructor(clock: Clock, onError: (session: Session, error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  add(session: Session): void {
    this.#all.add(session);
    this.#watch ??= this.#clock.after(WATCH_INTERVAL, this.#onWatch);
  }

  /** The session is over, and its socket is gone. */
  delete(session: Session): void {
    this.#all.delete(session);
    if (this.#all.size === 0) this.#whenEmpty?.();
  }

  readonly #onWatch = (): void => {
    this.#watch =
      this.#all.size === 0 ? undefined : this.#clock.after(WATCH_INTERVAL, this.#onWatch);
    const now = this.#clock.monotonic();
    this.#each((session) => session.watch(now));
  };

  #each(act: (session: Session) => void): void {
    for (const session of this.#all) {
      try {
        act(session);
      } catch (error) {
        this.#onError(session, error);
        session.destroy();
      }
    }
  }

  /** Sessions that are not over after `grace` ms are cut off. */
  async stop(grace: number): Promise<void> {
    this.#each((session) => session.drain());
    if (this.#all.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenEmpty = resolve;
      const cut = this.#clock.after(grace, () => this.#each((session) => session.destroy()));
      await promise;
      cut.cancel();
    }
    this.#watch?.cancel();
    this.#watch = undefined;
  }
}
