// The people who may log in: by submission, at Dovecot, which reads the same file, and on the web.
//
// Doors: events.ts, logins.ts, options.ts, passwd-file.ts.

export { changeUsers, readUsers } from "./change-users.ts";
