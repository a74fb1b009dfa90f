// The program that reads one message for a reader: its path is the argument, its view is JSON on stdout.

import { messageView } from "./message-view.ts";
import { withMessageFile } from "./message-file.ts";

const view = await withMessageFile(
  process.argv[2] ?? "",
  () => undefined,
  ({ octets, headers }) => messageView(octets, headers.length),
);
process.stdout.write(JSON.stringify(view));
