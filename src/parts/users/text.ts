// What the commands of users print for people.

import type { User } from "../../users/passwd-file.ts";

const HEADING = ["ADDRESS", "ROLE", "NOTES"] as const;

/** One line a user, under a heading. */
export function usersText(users: readonly User[]): string {
  const rows = users.map((user) => [user.address, user.role, notesOf(user)] as const);
  const widths = [0, 1].map((column) =>
    Math.max(...[HEADING, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  return [HEADING, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

function notesOf({ totp, mustChange, password }: User): string {
  const notes: string[] = [];
  if (totp !== undefined) notes.push("second factor");
  if (mustChange) notes.push("one-time password");
  if (!/^\{ARGON2(?:ID|I)?\}/i.test(password)) notes.push("no Argon2 hash: only Dovecot knows it");
  return notes.join(", ");
}

/** The secret in groups of four, and the address that an authenticator app reads. */
export function totpText(address: string, secret: string): { secret: string; uri: string } {
  const label = encodeURIComponent(`unseen:${address}`);
  return {
    secret: secret.match(/.{1,4}/g)?.join(" ") ?? secret,
    uri: `otpauth://totp/${label}?secret=${secret}&issuer=unseen`,
  };
}
