// The part for relayctl doctor: checks of the set-up, from the DNS to the replies of Google.

import { options } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";
import { CHECKS } from "./finding.ts";

const NOTES = `The checks: ${CHECKS.slice(0, 8).join(", ")},
${CHECKS.slice(8).join(", ")}. Without a name, all are made, side by side, in at most 45 seconds. The self-test
(relay) speaks SMTP to the running relay over the control socket, and sends no message. docs/doctor.md explains each.
Exit status: 0 all ok, 1 warnings, 2 failures, 64 no such check, 66 and 78 as for check.`;

export const doctorPart = part({
  name: "doctor",
  commands: [
    partCommand({
      name: "doctor",
      summary:
        "check the set-up: DNS, certificates, hosts, lists, disk, queue, and that strangers cannot relay",
      argument: "[checks...]",
      flags: options({}),
      notes: NOTES,
      run: async (words, given, means) => (await import("./doctor.ts")).doctor(words, given, means),
    }),
  ],
});
