// The table of transitions in message-reader.ts: every state, every kind of octet, however the stream is cut.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BareNewlines, MessageReader } from "../../../src/smtp/server/message-reader.ts";

const states = ["LINE_START", "IN_LINE", "AFTER_CR", "AFTER_DOT", "AFTER_DOT_CR"] as const;
type State = (typeof states)[number];

/** Octets from the start of a message that lead to each state. */
const WAYS: Record<State, string> = {
  LINE_START: "",
  IN_LINE: "a",
  AFTER_CR: "a\r",
  AFTER_DOT: ".",
  AFTER_DOT_CR: ".\r",
};

const octets = { text: "x", '"."': ".", CR: "\r", LF: "\n" };
type Octet = keyof typeof octets;
const kinds = ["text", '"."', "CR", "LF"] as const;

interface Step {
  readonly to: State | "end";
  /** All content so far, if each bare CR and LF becomes CRLF. */
  readonly content: string;
  readonly isBare: boolean;
}

const step = (to: Step["to"], content: string): Step => ({ to, content, isBare: false });
const bare = (to: Step["to"], content: string): Step => ({ to, content, isBare: true });

const TABLE: Record<State, Record<Octet, Step>> = {
  LINE_START: {
    text: step("IN_LINE", "x"),
    '"."': step("AFTER_DOT", ""),
    CR: step("AFTER_CR", "\r"),
    LF: bare("IN_LINE", "\r\n"),
  },
  IN_LINE: {
    text: step("IN_LINE", "ax"),
    '"."': step("IN_LINE", "a."),
    CR: step("AFTER_CR", "a\r"),
    LF: bare("IN_LINE", "a\r\n"),
  },
  AFTER_CR: {
    text: bare("IN_LINE", "a\r\nx"),
    '"."': bare("IN_LINE", "a\r\n."),
    CR: bare("AFTER_CR", "a\r\n\r"),
    LF: step("LINE_START", "a\r\n"),
  },
  AFTER_DOT: {
    text: step("IN_LINE", "x"),
    '"."': step("IN_LINE", "."),
    CR: step("AFTER_DOT_CR", ""),
    LF: bare("IN_LINE", "\r\n"),
  },
  AFTER_DOT_CR: {
    text: bare("IN_LINE", "\r\nx"),
    '"."': bare("IN_LINE", "\r\n."),
    CR: bare("AFTER_CR", "\r\n\r"),
    LF: step("end", ""),
  },
};

/** The rest of a message, and the only state in which it ends the message at its last octet. */
const ENDS: readonly (readonly [rest: string, state: State])[] = [
  ["\n", "AFTER_DOT_CR"],
  ["\r\n", "AFTER_DOT"],
  [".\r\n", "LINE_START"],
  ["\n.\r\n", "AFTER_CR"],
  ["\r\n.\r\n", "IN_LINE"],
];

function read(wire: string, isInPieces: boolean, bareNewlines: BareNewlines) {
  const reader = new MessageReader(1e6, 1000, bareNewlines);
  const chunks = isInPieces ? Array.from(wire) : [wire];
  let content = "";
  const ends = chunks.map((chunk) =>
    reader.read(Buffer.from(chunk, "latin1"), (piece) => (content += piece.toString("latin1"))),
  );
  const end = ends.findIndex((offset) => offset >= 0);
  return { content, unfit: reader.unfit, hasEnded: end >= 0 && end === ends.length - 1 };
}

/** By what would end the message after `wire`. */
function stateAfter(wire: string, isInPieces: boolean): State | undefined {
  const found = ENDS.find(([rest]) => read(wire + rest, isInPieces, "normalize").hasEnded);
  return found?.[1];
}

for (const isInPieces of [false, true]) {
  describe(`transitions, ${isInPieces ? "octet by octet" : "in one chunk"}`, () => {
    for (const state of states) {
      for (const kind of kinds) {
        const { to, content, isBare } = TABLE[state][kind];
        it(`${state}, ${kind}: ${to}${isBare ? ", bare" : ""}`, () => {
          const wire = WAYS[state] + octets[kind];
          const mended = read(wire, isInPieces, "normalize");
          assert.equal(mended.content, content);
          assert.equal(mended.unfit, undefined);
          assert.equal(mended.hasEnded, to === "end");
          if (to !== "end") assert.equal(stateAfter(wire, isInPieces), to);
          const strict = read(wire, isInPieces, "reject");
          assert.equal(strict.unfit, isBare ? "bare-newline" : undefined);
          if (!isBare) assert.equal(strict.content, content);
        });
      }
    }
  });
}
