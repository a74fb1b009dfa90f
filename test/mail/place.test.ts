// Where a delivery went, in the words of the log and of the rules.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Place, placeText, speakerOf } from "../../src/mail/place.ts";

const host = (name: string, address: string, port: number): Place => ({
  kind: "host",
  name,
  address,
  port,
});

describe("a place", () => {
  const table: readonly (readonly [place: Place, text: string, speaker: string | undefined])[] = [
    [host("mx.example.net", "192.0.2.1", 25), "mx.example.net [192.0.2.1]", "mx.example.net"],
    [host("mx.example.net", "192.0.2.1", 587), "mx.example.net [192.0.2.1]:587", "mx.example.net"],
    [
      host("mx.example.net", "192.0.2.1", 2525),
      "mx.example.net [192.0.2.1]:2525",
      "mx.example.net",
    ],
    [host("mx.example.net", "2001:db8::1", 25), "mx.example.net [2001:db8::1]", "mx.example.net"],
    [host("192.0.2.1", "192.0.2.1", 24), "192.0.2.1 [192.0.2.1]:24", "192.0.2.1"],
    [{ kind: "file", path: "/mail/a/new/1.eml" }, "/mail/a/new/1.eml", undefined],
    [{ kind: "socket", path: "/run/lmtp" }, "/run/lmtp", "/run/lmtp"],
  ];
  for (const [place, text, speaker] of table) {
    it(`${text} was spoken for by ${speaker ?? "nobody"}`, () => {
      assert.equal(placeText(place), text);
      assert.equal(speakerOf(place), speaker);
    });
  }

  it("that is not known has nobody who spoke", () => assert.equal(speakerOf(undefined), undefined));
});
