// The engine of the spool. The relay and relayctl open the spool with it, and only this file knows which engine it is.

export { sqliteEngine as spoolEngine } from "../spool/sqlite/sqlite-engine.ts";
