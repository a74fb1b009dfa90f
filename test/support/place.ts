// Places, made from their texts.

import type { Place } from "../../src/mail/place.ts";

/** "mx.example.net [192.0.2.1]", at port 25. */
export function hostPlace(text: string): Place {
  const [name = "", rest = ""] = text.split(" [");
  return { kind: "host", name, address: rest.slice(0, -1), port: 25 };
}
