// Whether the file system of a directory answers: "begun", and then "answers", once it has. A process of its own, which
// may hang. In JavaScript, because it begins sooner.

import { existsSync } from "node:fs";
import { dirname } from "node:path";

process.stdout.write("begun\n");
let at = process.argv[2] ?? "/";
while (!existsSync(at)) at = dirname(at);
process.stdout.write("answers\n");
