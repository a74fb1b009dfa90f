// The people who may log in: by submission, at Dovecot, which reads the same file, and on the web.
//
// Doors: events.ts, logins.ts, login-protocol.ts, login-server.ts, options.ts, passwd-file.ts, shared-logins.ts.

export { changeUsers, readUsers } from "./change-users.ts";
