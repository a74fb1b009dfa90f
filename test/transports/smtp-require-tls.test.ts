// Mail that requires TLS (RFC 8689): where it may go, where never, and which of the two is final.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { statusLine } from "../../src/mail/status.ts";
import { type OptionTable } from "../conformance/driver.ts";
import { Authority, type Certified } from "../support/authority.ts";
import { batch, envelope, recipient } from "../support/build.ts";
import { greet, scriptedServer, type Sink, startSink } from "../support/sink.ts";
import { create } from "./sending.ts";
import type { Host } from "../../src/mail/host.ts";

let authority: Authority;
let right: Certified;
let directory: string;
let trusted: string;

before(() => {
  authority = new Authority();
  right = authority.issue({ names: ["mx.example.test"] });
  directory = mkdtempSync(join(tmpdir(), "unseen-trusted-"));
  trusted = join(directory, "root.pem");
  writeFileSync(trusted, authority.certificate.toString());
});
after(() => {
  authority[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const never = () => new AbortController().signal;

async function sinkThat(
  t: TestContext,
  { offers = true, named = "mx.example.test" } = {},
): Promise<Sink> {
  const { chain: cert, key } =
    named === "mx.example.test" ? right : authority.issue({ names: [named] });
  const sink = await startSink({ tls: true, server: { cert, key, hideREQUIRETLS: !offers } });
  t.after(() => sink.close());
  return sink;
}

function host(port: number, given: Partial<Host> = {}): Host {
  return { name: "mx.example.test", port, addresses: ["127.0.0.1"], ...given };
}

/** What becomes of a message that requires TLS, at these hosts. */
async function sent(
  t: TestContext,
  hosts: readonly Host[],
  table: OptionTable = {},
  requireTls: { requireTls?: true } = { requireTls: true },
): Promise<string> {
  const transport = create(t, { tls_verify_certificates: trusted, ...table });
  const given = batch([recipient("bob@example.test")], { hosts, envelope: envelope(requireTls) });
  const [outcome] = (await transport.deliver(given, never())).values();
  return told(outcome ?? assert.fail("no outcome"));
}

function told({ kind, status }: Outcome): string {
  return `${kind} ${statusLine(status)}`;
}

describe("mail that requires TLS", () => {
  test("goes to a host with a valid certificate that offers REQUIRETLS, and says so", async (t) => {
    const sink = await sinkThat(t);
    assert.equal(await sent(t, [host(sink.port)]), "delivered 250 2.0.0 taken");
    assert.equal(sink.messages[0]?.requireTls, true);
    assert.ok(sink.messages[0].tls !== undefined);
  });

  test("is no other mail: that goes as ever, and does not ask for it", async (t) => {
    const sink = await sinkThat(t, { named: "mx.other.test" });
    assert.match(await sent(t, [host(sink.port)], {}, {}), /^delivered/);
    assert.equal(sink.messages[0]?.requireTls, false);
  });

  const refusals = {
    "does not offer REQUIRETLS": [
      { offers: false },
      /REQUIRETLS support required: .* does not offer it$/,
    ],
    "has a certificate for another name": [{ named: "mx.other.test" }, /TLS handshake failed/],
  } as const;
  for (const [what, [given, text]] of Object.entries(refusals)) {
    test(`fails at a host that ${what}, and nothing of it is told`, async (t) => {
      const sink = await sinkThat(t, given);
      const outcome = await sent(t, [host(sink.port)]);
      assert.match(outcome, /^failed 550 5\.7\.30 /);
      assert.match(outcome, text);
      assert.deepEqual([sink.messages, sink.attempted], [[], []]);
    });
  }

  test("fails at a host without STARTTLS, though it offers REQUIRETLS in the clear", async (t) => {
    const commands: string[] = [];
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["REQUIRETLS"]);
      commands.push(await conn.readLine());
      await conn.closed();
    });
    assert.match(await sent(t, [host(peer.port)]), /^failed 550 5\.7\.30 .*does not offer TLS$/);
    assert.deepEqual(
      commands.filter((line) => line !== "QUIT"),
      [],
    );
  });

  test("fails at a host that only an unsigned MX names, which is not even spoken to", async (t) => {
    const sink = await sinkThat(t);
    const outcome = await sent(t, [host(sink.port, { domain: "example.test" })]);
    assert.match(
      outcome,
      /^failed 550 5\.7\.30 .*neither DNSSEC nor MTA-STS vouches for mx\.example\.test$/,
    );
    assert.equal(sink.connections, 0);
  });

  test("goes to a host that a signed MX names", async (t) => {
    const sink = await sinkThat(t);
    const signed = { domain: "example.test", secure: true } as const;
    assert.match(await sent(t, [host(sink.port, signed)], { dane: false }), /^delivered/);
  });

  test("fails where the transport uses no TLS", async (t) => {
    const sink = await sinkThat(t);
    assert.match(await sent(t, [host(sink.port)], { tls: "none" }), /^failed 550 5\.7\.30 /);
    assert.equal(sink.connections, 0);
  });

  test("goes on to the next host behind one that cannot take it", async (t) => {
    const [poor, good] = [await sinkThat(t, { offers: false }), await sinkThat(t)];
    assert.match(await sent(t, [host(poor.port), host(good.port)]), /^delivered/);
    assert.deepEqual([poor.messages.length, good.messages.length], [0, 1]);
  });

  test("waits while a host that may take it cannot be reached", async (t) => {
    const poor = await sinkThat(t, { offers: false });
    const gone = await sinkThat(t);
    await gone.close();
    for (const hosts of [
      [host(gone.port), host(poor.port)],
      [host(poor.port), host(gone.port)],
    ]) {
      assert.match(await sent(t, hosts), /^deferred 451 /);
    }
  });
});
