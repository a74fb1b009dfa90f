// contents: what the index knows of the contents of an account, for an import that is to bring nothing twice.

import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

/** Messages in one value of the answer. */
const PAGE = 500;

export const contents = operation({
  verb: "contents",
  access: "read",
  read: (order) => new Order(order).text("account"),
  async *run({ index }, account) {
    let page: object[] = [];
    for await (const content of index.contentsOf(account)) {
      page.push(content);
      if (page.length < PAGE) continue;
      yield { contents: page };
      page = [];
    }
    yield { contents: page };
  },
});
