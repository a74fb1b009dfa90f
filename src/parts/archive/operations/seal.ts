// seal: the hashes of the last lines of manifest and audit log.

import { operation } from "../service/operation.ts";

/** Only the process that writes knows which line is on disk. */
export const seal = operation({
  verb: "seal",
  access: "write",
  read: () => ({}),
  async *run({ manifest, audit }) {
    yield {
      manifest: (await manifest.lastHash()) ?? null,
      audit: (await audit.lastHash()) ?? null,
    };
  },
});
