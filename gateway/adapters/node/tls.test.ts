import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "../listening.ts";
import { readTls, warnOfTls } from "./access/tls-files.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

let folder: string;
let files: { cert: string; key: string };
let gateway: TestGateway | undefined;
const sockets: Socket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-tls-test-"));
  files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  // An RSA key, because the cipher suites that must be rejected need one.
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", files.key, "-out", files.cert];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  await promisify(execFile)("openssl", ["req", "-x509", ...made, ...subject]);
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway?.drain(0);
  gateway = undefined;
});

async function start(limits: Partial<ServerLimits>): Promise<number> {
  const serverLimits = { ...DEFAULT_SERVER_LIMITS, ...limits };
  gateway = await startTestGateway([], { tls: files, serverLimits });
  return gateway.port;
}

/** A connection that sends nothing. */
async function open(port: number, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen });
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.resume().once("close", () => resolve());
  });

async function answer(port: number, options: object = {}): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", ca: await readFile(files.cert), ...options });
  sockets.push(socket);
  socket.write("GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const part of socket) text += part;
  return text;
}

test("connections that never complete their handshake time out, and make room for others", async () => {
  const port = await start({ headerMs: 1_000, maxConnections: 3 });
  const silent = [await open(port), await open(port), await open(port)];
  silent[1]!.write("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n");
  // Only the beginning of a handshake.
  silent[2]!.write(Buffer.from("1603010200010001fc0303", "hex"));
  await Promise.all(silent.map(closed));
  expect(await answer(port)).toMatch(/^HTTP\/1\.1 200 /);
});

test("a client that disconnects before its handshake leaks nothing", async () => {
  const port = await start({ headerMs: 60_000, maxConnections: 2 });
  const gone = [await open(port, true), await open(port, true)];
  gone[0]!.end();
  gone[1]!.resetAndDestroy();
  await closed(gone[0]!);
  expect(await answer(port)).toMatch(/^HTTP\/1\.1 200 /);
});

test("a drain does not wait for handshakes", async () => {
  const port = await start({ headerMs: 60_000 });
  const silent = await open(port);
  await answer(port);
  await gateway!.drain(60_000);
  gateway = undefined;
  await closed(silent);
});

test.each([
  "AES128-SHA",
  "AES256-SHA",
  "AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-RSA-AES256-SHA384",
])("%s is rejected under TLS 1.2", async (ciphers) => {
  const port = await start({});
  await expect(answer(port, { ciphers, maxVersion: "TLSv1.2" })).rejects.toThrow(/handshake failure/);
});

test.each([
  ["ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2"],
  ["ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2"],
  ["TLS_AES_128_GCM_SHA256", "TLSv1.3"],
])("%s is accepted", async (ciphers, version) => {
  const port = await start({});
  expect(await answer(port, { ciphers, minVersion: version, maxVersion: version })).toMatch(
    /^HTTP\/1\.1 200 /,
  );
});

test("an invalid certificate and a world-readable key are logged", async () => {
  const warnings = async (inDays: number) => {
    const lines: string[] = [];
    const log = createLogger({ name: "test", write: (line) => void lines.push(line) });
    await warnOfTls(files, await readTls(files), log, Date.now() + inDays * 86_400_000);
    return lines.join("");
  };
  await chmod(files.key, 0o600);
  expect(await warnings(0)).toBe("");
  expect(await warnings(1.5)).toContain("expires soon");
  expect(await warnings(3)).toContain("has expired");
  expect(await warnings(-3)).toContain("not valid yet");
  await chmod(files.key, 0o644);
  expect(await warnings(0)).toMatch(/every user of this machine can read the private key.*mode=644/);
});
