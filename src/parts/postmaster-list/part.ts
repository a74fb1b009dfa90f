// The part for the postmaster's list: a daily message about mail that was not delivered and whose sender was not told.

import { part } from "../part.ts";
import { postmasterListEvents } from "./events.ts";
import { PostmasterList } from "./postmaster-list.ts";

export const postmasterList = part({
  name: "postmaster-list",
  events: postmasterListEvents,
  start(means) {
    let list: PostmasterList | undefined;
    return {
      begin(generation, mail) {
        list = new PostmasterList(means, generation, mail);
        list.start();
      },
      follow: (generation) => list?.follow(generation),
      close: async () => list?.close(),
    };
  },
});
