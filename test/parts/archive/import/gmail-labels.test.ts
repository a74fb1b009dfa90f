// The folder of a message from Google Takeout: one, whatever labels it has.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { folderOfLabels, labelsIn } from "../../../../src/parts/archive/import/gmail-labels.ts";

const latin1 = (text: string) => Buffer.from(text).toString("latin1");
const base64 = (text: string) => `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=`;

describe("labels", () => {
  for (const [value, labels] of [
    ["", []],
    ["Inbox", ["Inbox"]],
    ["Inbox,Work , Important", ["Inbox", "Work", "Important"]],
    ['"Smith, John",Work', ["Smith, John", "Work"]],
    ['Work, "a ""quoted"" label"', ["Work", 'a "quoted" label']],
    ['"back\\"slash",x', ['back"slash', "x"]],
    ['5" nails,Inbox', ['5" nails', "Inbox"]],
    ['"open,Inbox', ['"open', "Inbox"]],
    [",,Inbox,", ["Inbox"]],
    [latin1("Übersicht,日本"), ["Übersicht", "日本"]],
    ["=?UTF-8?Q?=C3=9Cbersicht,Gesendet?=", ["Übersicht", "Gesendet"]],
    ["=?utf-8?q?a_b=2C=22c=2Cd=22?=", ["a b", "c,d"]],
    [base64('Posteingang,"Ä, Ö"'), ["Posteingang", "Ä, Ö"]],
    ["=?UTF-8?Q?Pr=C3?= =?UTF-8?Q?=BCfung,x?=", ["Prüfung", "x"]],
    ["=?UTF-8?Q?a?=  =?UTF-8?Q?b?=,c", ["ab", "c"]],
  ] as const) {
    test(JSON.stringify(value), () => assert.deepEqual(labelsIn(value), labels));
  }
});

describe("the folder", () => {
  for (const [value, folder] of [
    ["Inbox,Sent", "Sent"],
    ["Work,Sent,Trash", "Sent"],
    ["Important,Work,Inbox", "INBOX"],
    ["Archived,Important,Work/2026,Family", "Work/2026"],
    ["Spam,Work", "Spam"],
    ["Work,Trash", "Trash"],
    ["Drafts", "Drafts"],
    ["Archived,Opened,Category Promotions", "INBOX"],
    ["", "INBOX"],
    [latin1("Posteingang,Geöffnet,Kategorie: Werbung"), "INBOX"],
    [latin1("Gesendet,Geöffnet"), "Sent"],
    [base64("Messages envoyés,Ouvert"), "Sent"],
    ["Sentimental", "Sentimental"],
  ] as const) {
    test(JSON.stringify(value), () => assert.equal(folderOfLabels(value), folder));
  }
});

test("labels that go on and on take no time", () => {
  for (const text of [" ", '"', '""', ",", '"\\', " ,", "=?UTF-8?Q?"]) {
    labelsIn(text.repeat(1_000_000));
  }
});
