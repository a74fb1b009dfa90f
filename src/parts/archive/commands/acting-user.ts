// The name of the user of relayctl, for the audit log.

import { userName } from "../../../base/users.ts";

/** "relayctl (alice)": the user of the system, behind sudo too. */
export function actingUser(): string {
  const own = userName(process.getuid?.() ?? -1);
  const behind = own === "root" ? process.env["SUDO_USER"] : undefined;
  return `relayctl (${behind ?? own})`;
}
