// An archive whose messages are in the index, for the commands that read it.

import { ArchiveIndex } from "../../../../src/parts/archive/index/archive-index.ts";
import { Indexer } from "../../../../src/parts/archive/index/indexer.ts";
import { Extractor } from "../../../../src/parts/archive/text/text.ts";
import { systemClock } from "../../../../src/base/clock.ts";
import { ArchivePlace } from "./archive-place.ts";

export class IndexedPlace extends ArchivePlace {
  /** Brings every file of the Maildirs into the index. */
  async index(): Promise<void> {
    const settings = { directory: this.mail, state: this.state };
    const index = ArchiveIndex.forWriting(settings, systemClock);
    const texts = new Extractor({ attachments: true });
    const indexer = new Indexer({
      index,
      root: this.mail,
      clock: systemClock,
      log: { event: () => undefined },
      manifest: { append: () => Promise.resolve() },
      texts,
      originOf: () => "walk",
    });
    try {
      await indexer.catchUp();
    } finally {
      await indexer.close();
      index.close();
      texts.close();
    }
  }
}
