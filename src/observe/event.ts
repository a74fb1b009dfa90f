// The kit in which a room declares the events that it logs. Each event and each field has one sentence. The types, the
// closed list in events.ts and docs/events.md are made from the declarations.

/** A field of an event. */
export interface EventField<Value> {
  /** One sentence. */
  readonly means: string;
  /** The kind of value, in words for people. */
  readonly kind: string;
  readonly isOptional?: true;
  /** Carries the type only. The property never exists. */
  readonly value?: Value;
}

type EventFields = Readonly<Record<string, EventField<unknown>>>;

/** An event: one sentence, and its fields in the order in which they are logged. */
export interface DeclaredEvent<Fields extends EventFields = EventFields> {
  readonly means: string;
  readonly fields: Fields;
}

/** The events of one room or part. */
export interface EventTable<
  Declared extends Readonly<Record<string, DeclaredEvent>> = Readonly<
    Record<string, DeclaredEvent>
  >,
> {
  /** The subject of these events: a heading of docs/events.md. */
  readonly about: string;
  readonly events: Declared;
}

type ValueOf<Field> = Field extends EventField<infer Value> ? Value : never;

type FieldsOf<Fields extends EventFields> = keyof Fields extends never
  ? Record<string, never>
  : {
      [
        Key in keyof Fields as Fields[Key] extends { readonly isOptional: true } ? never : Key
      ]: ValueOf<Fields[Key]>;
    } & {
      [
        Key in keyof Fields as Fields[Key] extends { readonly isOptional: true } ? Key : never
      ]?: ValueOf<Fields[Key]>;
    };

/** The fields of each event, by its name. For `interface Events extends EventsOf<typeof table> {}`. */
export type EventsOf<Table extends EventTable> = {
  [Name in keyof Table["events"]]: FieldsOf<Table["events"][Name]["fields"]>;
};

/** Declares the events of a room. */
export function eventTable<Declared extends Readonly<Record<string, DeclaredEvent>>>(
  about: string,
  events: Declared,
): EventTable<Declared> {
  return { about, events };
}

/** Declares one event. */
export function event<Fields extends EventFields>(
  means: string,
  fields: Fields,
): DeclaredEvent<Fields> {
  return { means, fields };
}

/** Any text, including text from peers. */
export function text(means: string): EventField<string> {
  return { means, kind: "text" };
}

export function texts(means: string): EventField<readonly string[]> {
  return { means, kind: "list of texts" };
}

/** A point in time, as ISO 8601 in UTC. */
export function time(means: string): EventField<string> {
  return { means, kind: "time" };
}

export function number(means: string): EventField<number> {
  return { means, kind: "number" };
}

export function flag(means: string): EventField<boolean> {
  return { means, kind: "true or false" };
}

/** A field that is present or absent and has no other value. */
export function mark(means: string): EventField<true> & { readonly isOptional: true } {
  return { means, kind: "true", isOptional: true };
}

/** One of these words. */
export function word<const Word extends string>(
  words: readonly Word[],
  means: string,
): EventField<Word> {
  return { means, kind: words.map((one) => `\`${one}\``).join(", ") };
}

/** A field that may be missing. Its sentence says when. */
export function maybe<Value>(
  field: EventField<Value>,
): EventField<Value> & { readonly isOptional: true } {
  return { ...field, isOptional: true };
}
