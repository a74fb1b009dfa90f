// A watch over a header section, with the reader that it needs.

import type { Proof, Secret } from "../../../src/receive/gate/gate.ts";
import { HeaderReader } from "../../../src/receive/header/header.ts";
import { HeaderWatch } from "../../../src/receive/content/header-watch.ts";

export interface Watching {
  readonly unproven: ReadonlySet<Proof>;
  readonly tooLong: boolean;
  readonly hops: number;
  pass(piece: Buffer): Buffer | undefined;
  end(): Buffer | undefined;
}

export function watching(
  proofs: readonly Proof[],
  secrets: readonly Secret[] = [],
  hostname?: string,
): Watching {
  const header = new HeaderReader();
  const watch = new HeaderWatch(header, proofs, secrets, hostname);
  return {
    get unproven() {
      return watch.unproven;
    },
    get tooLong() {
      return watch.tooLong;
    },
    get hops() {
      return header.hops;
    },
    pass(piece) {
      header.read(piece);
      return watch.pass(piece);
    },
    end: () => watch.end(),
  };
}
