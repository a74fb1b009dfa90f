// Readers of the fields of an order. Programs on this machine write them, so a wrong one is answered in plain words.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import { isTable } from "../../../base/table.ts";

export class Order {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(order: unknown) {
    if (!isTable(order)) throw new CommandError("the order is not an object", EXIT.usage);
    this.#fields = order;
  }

  /** Throws if the field is missing, empty or no text. */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined || value === "") throw this.#wrong(name, "a text");
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.#fields[name];
    if (value !== undefined && typeof value !== "string") throw this.#wrong(name, "a text");
    return value;
  }

  /** Throws if the field is missing or no whole number from 0 on. */
  whole(name: string): number {
    const value = this.optionalWhole(name);
    if (value === undefined) throw this.#wrong(name, "a whole number");
    return value;
  }

  optionalWhole(name: string): number | undefined {
    const value = this.#fields[name];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#wrong(name, "a whole number");
  }

  /**
   * The accounts that the asking user may see; undefined means all of them. So each must be a full address, not what a
   * query takes for several accounts.
   */
  accounts(): readonly string[] | undefined {
    if (this.#fields["accounts"] === undefined) return undefined;
    const accounts = this.texts("accounts");
    if (accounts.every((account) => /^[^@].*@./s.test(account))) return accounts;
    throw new CommandError("an account is a full address such as alice@example.com", EXIT.usage);
  }

  texts(name: string): readonly string[] {
    const value = this.#fields[name];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw this.#wrong(name, "a list of texts");
    }
    return value;
  }

  /** Throws if the field is missing or no number. */
  number(name: string): number {
    const value = this.#fields[name];
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.#wrong(name, "a number");
    return value;
  }

  /** True only if the field is. */
  flag(name: string): boolean {
    return this.#fields[name] === true;
  }

  /** Texts and numbers by name; an empty table if the field is missing. */
  record(name: string): Readonly<Record<string, string | number>> {
    const value = this.#fields[name] ?? {};
    if (!isTable(value)) throw this.#wrong(name, "a table of texts and numbers");
    const record: Record<string, string | number> = {};
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== "string" && typeof item !== "number") {
        throw this.#wrong(`${name}.${key}`, "a text or a number");
      }
      record[key] = item;
    }
    return record;
  }

  #wrong(name: string, is: string): CommandError {
    return new CommandError(`the field "${name}" of the order must be ${is}`, EXIT.usage);
  }
}
