import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { makeAuthority, makeCertificate, replace } from "../../scripts/testing/certificates.ts";
import { parseAddress } from "./address.ts";
import { serve } from "./server.ts";
import { record, turns, useBench } from "./testing.ts";
import type { RequestPlaneServer, ServerCall, ServerTls } from "./types.ts";

const script = fileURLToPath(new URL("testing-server.ts", import.meta.url));
const callerScript = fileURLToPath(new URL("testing-caller.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "stator-socket-"));
const path = join(directory, "plane.sock");
const bench = useBench(() => `unix:${path}`);
afterEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(directory, { recursive: true }));

async function untilCalls(server: RequestPlaneServer, count: number): Promise<void> {
  while (server.activeCalls !== count) await turns(1);
}

/** Starts a server in a separate process; resolves when it listens. */
async function spawnServer(address: string, pingMs = 2_000) {
  const child = spawn(process.execPath, [script, address, String(pingMs)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { child, address: String(line).trim() };
}

describe.each([
  ["Unix sockets", `unix:${path}`],
  ["TCP", "tcp:127.0.0.1:0"],
])("a server process over %s", (_, wanted) => {
  test("that is killed fails every call once, with connection_lost", async () => {
    const { child, address } = await spawnServer(wanted);
    const client = await bench.connect(address);
    const calls = [record(client, "stream"), record(client, "stream")];
    for (const call of calls) await call.received(5);
    child.kill("SIGKILL");
    for (const call of calls) expect(await call.outcome).toMatchObject({ code: "connection_lost" });
    await client.closed;
    await turns();
    expect(calls.map((call) => call.ends)).toEqual([1, 1]);
  });
});

describe.each([
  ["Unix sockets", `unix:${path}`],
  ["TCP", "tcp:127.0.0.1:0"],
])("a suspended peer over %s", (_, wanted) => {
  test("is detected by its client, although its connection stays open", async () => {
    const { child, address } = await spawnServer(wanted, 100);
    const client = await bench.connect(address, { pingMs: 100 });
    const call = record(client, "stream");
    await call.received(5);
    child.kill("SIGSTOP");
    expect(await call.outcome).toMatchObject({
      code: "connection_lost",
      message: expect.stringMatching(/silent for 0\.25 s/),
    });
    await client.closed;
    child.kill("SIGKILL");
  });

  test("is detected by its server", async () => {
    const aborted = Promise.withResolvers<unknown>();
    const server = await serve(
      wanted,
      { wait: (_, { signal }) => signal.addEventListener("abort", () => aborted.resolve(signal.reason)) },
      { pingMs: 100 },
    );
    const child = spawn(process.execPath, [callerScript, server.address, "100"], { stdio: "inherit" });
    await untilCalls(server, 1);
    child.kill("SIGSTOP");
    expect(await aborted.promise).toMatchObject({
      code: "connection_lost",
      message: "The client has been silent for 0.25 s.",
    });
    expect(server.activeCalls).toBe(0);
    child.kill("SIGKILL");
    await server.close();
  });

  test("is kept if it resumes in time", async () => {
    const { child, address } = await spawnServer(wanted, 100);
    const client = await bench.connect(address, { pingMs: 100 });
    const call = record(client, "stream");
    await call.received(5);
    child.kill("SIGSTOP");
    child.kill("SIGCONT");
    await call.received(call.messages.length + 5);
    child.kill("SIGKILL");
    await client.closed;
  });
});

describe("Unix sockets", () => {
  test("the file of a killed process is replaced", async () => {
    const { child } = await spawnServer(`unix:${path}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(path)).toBe(true);
    const { client } = await bench.pair({ end: (_, call) => call.end() });
    expect(await record(client, "end").outcome).toBeUndefined();
  });

  test("the file is removed when the server closes", async () => {
    const server = await bench.serve({});
    expect(existsSync(path)).toBe(true);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test("a file that is not a socket is not replaced", async () => {
    writeFileSync(path, "precious");
    await expect(serve(`unix:${path}`, {})).rejects.toThrow(/is not a socket/);
    expect(existsSync(path)).toBe(true);
  });

  test("a too long path is refused with its length", () => {
    const long = `/tmp/${"x".repeat(200)}`;
    expect(() => parseAddress(`unix:${long}`)).toThrow(/205 bytes long/);
  });
});

describe("addresses", () => {
  test("are parsed", () => {
    expect(parseAddress("unix:/a:b")).toEqual({ kind: "unix", path: "/a:b" });
    expect(parseAddress("tcp:localhost:80")).toEqual({ kind: "tcp", host: "localhost", port: 80 });
    expect(parseAddress("tcp:[::1]:0")).toEqual({ kind: "tcp", host: "::1", port: 0 });
    expect(parseAddress("memory:x")).toEqual({ kind: "memory", name: "x" });
  });

  test("that are malformed are refused", () => {
    for (const wrong of [
      "",
      "x",
      "unix:",
      "memory:",
      "tcp:1",
      "tcp:a:70000",
      "tcp:::1:5",
      "http://a",
      "udp:a:1",
    ]) {
      expect(() => parseAddress(wrong)).toThrow(expect.objectContaining({ code: "invalid_request" }));
    }
  });
});

describe("TLS", async () => {
  const authority = await makeAuthority(directory, "authority");
  const stranger = await makeAuthority(directory, "stranger");
  const own = await makeCertificate(directory, "own", authority);
  const unknown = await makeCertificate(directory, "unknown", stranger);
  const handlers = { end: (_: Uint8Array, call: ServerCall) => call.end() };

  let address: string;
  const tlsBench = useBench(() => "tls:127.0.0.1:0");
  const open = async (tls: ServerTls) => {
    ({ address } = await tlsBench.serve(handlers, { tls }));
  };

  test("is rejected without a certificate, and by clients that do not trust it", async () => {
    await expect(tlsBench.serve(handlers)).rejects.toThrow("needs a certificate and its key");
    await open(own);
    await expect(tlsBench.connect(address)).rejects.toThrow(/Cannot reach tls:.*certificate/);
    await expect(tlsBench.connect(address, { tls: { ca: stranger.cert } })).rejects.toThrow(/certificate/);
    const client = await tlsBench.connect(address, { tls: { ca: authority.cert } });
    expect(await record(client, "end").outcome).toBeUndefined();
  });

  test("admits only clients whose certificate its authority has signed", async () => {
    await open({ ...own, clientCa: authority.cert });
    const ca = authority.cert;
    await expect(tlsBench.connect(address, { tls: { ca } })).rejects.toThrow(
      /may require a client certificate/,
    );
    await expect(tlsBench.connect(address, { tls: { ca, ...unknown } })).rejects.toThrow(
      /may require a client certificate/,
    );
    const client = await tlsBench.connect(address, { tls: { ca, ...own } });
    expect(await record(client, "end").outcome).toBeUndefined();
  });

  test("compares the certificate with the address, or with the client's server name", async () => {
    await open(own);
    const tls = { ca: authority.cert };
    await expect(tlsBench.connect(address, { tls: { ...tls, serverName: "other" } })).rejects.toThrow(
      /does not match/,
    );
    await tlsBench.connect(address, { tls });
  });

  test("reloads its certificate without a restart", async () => {
    const folder = mkdtempSync(join(directory, "renewed-"));
    const before = await makeCertificate(folder, "before", authority);
    await open(before);
    await tlsBench.connect(address, { tls: { ca: authority.cert } });
    await replace(before, await makeCertificate(folder, "now", stranger));
    const tls = { ca: stranger.cert };
    await expect
      .poll(
        () =>
          tlsBench.connect(address, { tls }).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
  });

  test.each([
    [{ cert: "/nowhere.pem", key: own.key }, "/nowhere.pem cannot be read (ENOENT)."],
    [{ cert: own.cert, key: unknown.key }, "is not the key of the certificate in"],
    [{ cert: script, key: own.key }, "is not a PEM file"],
  ])("rejects %j", async (tls, message) => {
    await expect(tlsBench.serve(handlers, { tls })).rejects.toThrow(message);
  });
});
