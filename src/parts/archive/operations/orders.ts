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

  texts(name: string): readonly string[] {
    const value = this.#fields[name];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw this.#wrong(name, "a list of texts");
    }
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
