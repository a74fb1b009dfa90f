// The engine of the spool: the relay and relayctl open the spool with it, and nobody else knows which one it is.

export { sqliteEngine as spoolEngine } from "../spool/sqlite/sqlite-engine.ts";
