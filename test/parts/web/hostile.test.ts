// Mail that wants to do something to its reader.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { safeHtml } from "../../../src/parts/web/safe-html.ts";
import { dispositionOf } from "../../../src/parts/web/text.ts";
import { type Jar, TestSite } from "./site.ts";

const PASSWORD = "correct horse battery";
const SCRIPT = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\${7*7}`;
const PNG = Buffer.from("iVBORw0KGgo=", "base64");
const MESSAGES = [
  {
    id: 1,
    account: "alice@example.com",
    subject: SCRIPT,
    text: SCRIPT,
    html: `<p>hi</p>${SCRIPT}`,
    parts: [
      { name: `../..\\evil"\r\n.html`, type: "text/html", octets: Buffer.from(SCRIPT) },
      { name: "pic.png", type: "image/png", octets: PNG, contentId: "pic@x" },
      { name: "pic.svg", type: "image/svg+xml", octets: Buffer.from("<svg/>"), contentId: "svg@x" },
    ],
  },
  {
    id: 2,
    account: "alice@example.com",
    subject: "images",
    text: "",
    html: '<img src="cid:pic@x"><img src="http://tracker.example/x.gif"><img src=//tracker.example/y>',
    parts: [{ name: "pic.png", type: "image/png", octets: PNG, contentId: "pic@x" }],
  },
  {
    id: 3,
    account: "alice@example.com",
    subject: "deep",
    text: "plain",
    html: "<b>".repeat(300_000),
  },
];

const NONE = { isRemote: false, images: new Map<string, string>() };
const ALL = { isRemote: true, images: new Map<string, string>() };

describe("hostile mail", () => {
  let site: TestSite;
  let jar: Jar;
  before(async () => {
    site = await TestSite.open({ "alice@example.com": { password: PASSWORD } }, MESSAGES);
    jar = await site.login("alice@example.com", PASSWORD);
  });
  after(() => site[Symbol.asyncDispose]());

  test("is text on the pages, wherever it stands", async () => {
    const query = encodeURIComponent(SCRIPT);
    for (const path of [
      "/mail",
      `/mail?q=${query}`,
      `/mail?q=frm:${query}`,
      "/mail/1",
      "/mail/1?view=text",
    ]) {
      const page = await (await site.ask(path, { jar })).text();
      assert.doesNotMatch(page, /<script>|<img|onerror=alert\(2\)>/i, path);
    }
    assert.match(
      await (await site.ask("/login?next=/%22%3E%3Cscript%3E")).text(),
      /value="\/&quot;&gt;&lt;script/,
    );
  });

  test("cannot leave its frame, and its frame runs nothing", async () => {
    const answer = await site.ask("/mail/1/html", { jar });
    const policy = answer.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /img-src data:;/);
    assert.match(policy, /sandbox allow-popups allow-popups-to-escape-sandbox$/);
    assert.doesNotMatch(policy, /script-src|allow-scripts|allow-same-origin/);
    assert.doesNotMatch(await answer.text(), /script|onerror/i);
  });

  test("fetches nothing from elsewhere unless the reader asks for it", async () => {
    const plain = await (await site.ask("/mail/2/html", { jar })).text();
    assert.doesNotMatch(plain, /<img|tracker/);
    const own = await (await site.ask("/mail/2/html?images=1", { jar })).text();
    assert.match(own, /<img src="data:image\/png;base64,iVBORw0KGgo="/);
    assert.doesNotMatch(own, /tracker/);
    const remote = await site.ask("/mail/2/html?remote=1", { jar });
    assert.match(await remote.text(), /<img src="http:\/\/tracker\.example\/x\.gif"/);
    assert.match(remote.headers.get("content-security-policy") ?? "", /img-src data: http: https:/);
  });

  test("that is slow to clean costs its reader the HTML, and nobody else anything", async () => {
    const [slow, other] = await Promise.all([
      site.ask("/mail/3/html", { jar }).then((answer) => answer.text()),
      site.ask("/mail", { jar }),
    ]);
    assert.match(slow, /too large or too strange/);
    assert.equal(other.status, 200);
    assert.match(await (await site.ask("/mail/1/html", { jar })).text(), /hi/);
  });

  test("is a download with a safe name and no type of its own", async () => {
    const answer = await site.ask("/mail/1/attachments/1", { jar });
    assert.equal(answer.headers.get("content-type"), "application/octet-stream");
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.match(answer.headers.get("content-security-policy") ?? "", /sandbox/);
    const disposition = answer.headers.get("content-disposition") ?? "";
    assert.match(
      disposition,
      /^attachment; filename="[^"\\/\r\n]+"; filename\*=UTF-8''[\w%.!~-]+$/,
    );
    assert.equal(await answer.text(), SCRIPT);
  });

  test("no page may be framed, guessed or kept", async () => {
    for (const path of ["/mail", "/mail/1", "/account", "/login", "/nowhere"]) {
      const { headers } = await site.ask(path, { jar });
      const policy = headers.get("content-security-policy") ?? "";
      assert.match(policy, /frame-ancestors 'none'/, path);
      assert.match(policy, /script-src 'self';/, path);
      assert.doesNotMatch(policy, /unsafe/, path);
      assert.equal(headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(headers.get("cache-control"), "no-store", path);
    }
  });
});

describe("safe HTML", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["<script>alert(1)</script>x", "x"],
    ["<style>@import 'http://x'</style>x", "x"],
    ["<p onclick=a() onmouseover='b()'>x</p>", "<p>x</p>"],
    ['<a href="javascript:alert(1)">x</a>', "x</a>"],
    ['<a href=" JaVa\tScript:alert(1)">x</a>', "x</a>"],
    ['<a href="data:text/html,<script>">x</a>', "x</a>"],
    ['<a href="vbscript:x">x</a>', "x</a>"],
    ["<iframe src=http://x></iframe><object data=x></object><embed src=x>y", "y"],
    ["<form action=http://x><input name=a><button>b</button></form>", "b"],
    ["<meta http-equiv=refresh content='0;url=http://x'><base href=http://x>y", "y"],
    ["<link rel=stylesheet href=http://x>y", "y"],
    ["<svg><script>alert(1)</script></svg>y", "y"],
    ["<math><mi xlink:href='javascript:x'>y</mi></math>", "y"],
    ["<p style='background:url(http://x)'>x</p>", "<p>x</p>"],
    ["<p style='position:fixed;top:0'>x</p>", "<p>x</p>"],
    ["<p style='color:red'>x</p>", '<p style="color:red">x</p>'],
    ["<td background='http://x/y'>x</td>", "<td>x</td>"],
    ["<img srcset='http://x/y 2x' src=data:image/svg+xml;base64,AA alt=z>", "<span>z</span>"],
    ["<video src=http://x poster=http://x></video><audio src=x></audio>y", "y"],
  ];
  for (const [html, wanted] of cases) {
    test(html, () => {
      for (const choices of [NONE, ALL]) {
        const safe = safeHtml(html, choices).html;
        assert.ok(safe.includes(wanted), safe);
        assert.doesNotMatch(
          safe,
          /script|on\w+=|javascript:|data:|url\(|@import|position|<(?:iframe|form|input|svg|math|meta|link|base|object|embed|video)/i,
        );
      }
    });
  }

  test("counts the images that it left out", () => {
    const html = "<img src=http://a/><img src=https://b/><img src=cid:x>";
    assert.equal(safeHtml(html, NONE).left, 2);
    assert.equal(safeHtml(html, ALL).left, 0);
  });
});

describe("the name of a download", () => {
  for (const [name, wanted] of [
    ["report.pdf", `attachment; filename="report.pdf"; filename*=UTF-8''report.pdf`],
    [
      "../../etc/passwd",
      `attachment; filename="__.._etc_passwd"; filename*=UTF-8''__.._etc_passwd`,
    ],
    ["a\u202Efdp.exe", `attachment; filename="a_fdp.exe"; filename*=UTF-8''a_fdp.exe`],
    ["", `attachment; filename="attachment"; filename*=UTF-8''attachment`],
    ["Müller.txt", `attachment; filename="M_ller.txt"; filename*=UTF-8''M%C3%BCller.txt`],
    ["\ud800.txt", `attachment; filename="_.txt"; filename*=UTF-8''_.txt`],
  ] as const) {
    test(JSON.stringify(name), () => assert.equal(dispositionOf(name), wanted));
  }
});
