// Everything that a driver may import, built-in or a third party's: `import { ... } from "unseen/driver"`. It has the
// contract, the kit in which options are declared, and the values that pass between the relay and a driver. Everything
// else in src/ is internal and may move.

export type * from "./contract/contract.ts";
export * from "./options/options.ts";
export { domainList, hostList, localPartList } from "./options/list-types.ts";
export { nextHops, parseNextHop } from "./options/next-hops.ts";
export { privateKeyFile, readPrivateKey, readSecret, secretFile } from "./options/secret-file.ts";
export type { listEvents } from "./lists/events.ts";
export type { maildirEvents } from "./disks/events.ts";
export type { WrittenDirectory } from "./base/durable/directory.ts";
export type { Account } from "./mail/account.ts";
export { canonicalAddressOf, parseDomain, parseMailbox, pathText } from "./mail/address.ts";
export type * from "./mail/envelope.ts";
export type * from "./mail/host.ts";
export type { Place } from "./mail/place.ts";
export { isTemporary, LOCAL_ERROR, NO_ANSWER, status, type Status } from "./mail/status.ts";
