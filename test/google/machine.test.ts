import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { GoogleApi } from "../../src/google/google.ts";
import { startHttp } from "../support/http-server.ts";
import { hurriedClock, startScript, writeKeyFile } from "./script.ts";

const SCOPES = ["https://www.googleapis.com/auth/admin.directory.user.readonly"];
const means = () => ({ clock: hurriedClock(), random: () => 1 });

function environment(t: TestContext, values: Readonly<Record<string, string>>): void {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  const none = { GOOGLE_APPLICATION_CREDENTIALS: "", HOME: "/nowhere", GCE_METADATA_HOST: "" };
  Object.assign(process.env, none, values);
}

describe("the credentials that the machine has", () => {
  test("are the key file that $GOOGLE_APPLICATION_CREDENTIALS names, also for a subject", async (t) => {
    const google = await startScript(t, { answers: [{ body: { a: 1 } }] });
    environment(t, { GOOGLE_APPLICATION_CREDENTIALS: google.keyFile });
    const api = await GoogleApi.open({ subject: "admin@example.com", scopes: SCOPES }, means());
    assert.deepEqual(await api.get(new URL(google.base)), { a: 1 });
    assert.equal(google.claims[0]?.["sub"], "admin@example.com");
  });

  test("are those of the metadata server", async (t) => {
    const paths: string[] = [];
    const metadata = await startHttp(t, ({ url = "" }, response) => {
      paths.push(url);
      response.writeHead(200, {
        "metadata-flavor": "Google",
        "content-type": "application/json",
      });
      response.end(
        url.includes("/token") ? '{"access_token":"of-the-machine","expires_in":3599}' : "{}",
      );
    });
    const programs = mkdtempSync(join(tmpdir(), "unseen-google-"));
    t.after(() => rmSync(programs, { recursive: true }));
    writeFileSync(join(programs, "gcloud"), `#!/bin/sh\n: > "${programs}/was-run"\n`, {
      mode: 0o755,
    });
    const { PATH = "" } = process.env;
    environment(t, {
      GCE_METADATA_HOST: new URL(metadata).host,
      PATH: `${programs}:${PATH}`,
    });
    const google = await startScript(t, {});
    const api = await GoogleApi.open({ scopes: SCOPES }, means());
    await api.get(new URL(google.base));
    assert.deepEqual(google.bearers, ["Bearer of-the-machine"]);
    assert.ok(paths.some((path) => path.includes("service-accounts/default/token")));
    assert.ok(!existsSync(join(programs, "was-run")), "no program of Google is run");
  });

  test("cannot ask on behalf of a subject without a key", async (t) => {
    const file = writeKeyFile(t, { type: "authorized_user" });
    environment(t, { GOOGLE_APPLICATION_CREDENTIALS: file });
    await assert.rejects(GoogleApi.open({ subject: "a@example.com", scopes: SCOPES }, means()), {
      kind: "key",
      message: /subject needs a key_file/,
    });
  });

  test("may be none", async (t) => {
    environment(t, { METADATA_SERVER_DETECTION: "none" });
    const api = await GoogleApi.open({ scopes: SCOPES }, means());
    await assert.rejects(api.get(new URL("http://127.0.0.1:1/")), {
      kind: "key",
      message: /set key_file in \[accounts\]/,
    });
  });
});
