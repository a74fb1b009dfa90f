// status: what the archive holds.

import { operation } from "../service/operation.ts";

export const status = operation({
  verb: "status",
  access: "read",
  read: () => ({}),
  async *run({ settings: { directory, state } }) {
    yield { directory, state };
  },
});
