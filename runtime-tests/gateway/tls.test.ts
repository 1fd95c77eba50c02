import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { StandInProcess } from "../../cli/e2e/attach/stand-in-process.ts";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  replace,
} from "../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { binaryOf } from "../hosts.ts";

// The tests on Node are in cli/e2e/access; these cover the implementations on other runtimes.

const main = join(import.meta.dirname, "..", "..", "cli", "main.ts");
const LAUNCHERS: Record<string, () => string[]> = {
  Deno: () => [binaryOf("deno"), "run", "--no-prompt", "--node-modules-dir=manual", "--allow-all", main],
  Bun: () => [binaryOf("bun"), main],
};

let engine: StandInProcess;
let folder: string;
let authority: Certificate;
let stator: StatorProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  [engine, authority] = await Promise.all([StandInProcess.start("vllm"), makeAuthority(folder, "authority")]);
});

afterEach(() => stator.stop());
afterAll(() => engine.kill());

const flags = ({ cert, key }: Certificate) => [`--tls-cert=${cert}`, `--tls-key=${key}`];

describe.each(Object.entries(LAUNCHERS))("on %s", (name, launcher) => {
  const start = (...args: string[]) =>
    new StatorProcess(["attach", engine.url, "--port=0", "--config=none", ...args], {}, launcher());

  async function ready(): Promise<string> {
    const [, url] = await stator.printed(/Send requests to (https?:\S+)\/v1/);
    return url!;
  }

  test("a new certificate takes effect without a restart, and an invalid one is ignored", async () => {
    const first = await makeCertificate(folder, `${name}-first`, authority);
    stator = start(...flags(first));
    const url = await ready();
    expect(await show(url)).toEqual({ status: 200, name: `${name}-first` });
    await replace(first, await makeCertificate(folder, `${name}-second`, authority));
    await stator.printed(/certificate reloaded/);
    expect(await show(url)).toEqual({ status: 200, name: `${name}-second` });
    await writeFile(first.cert, "no certificate");
    await stator.printed(/unusable; keeping the previous certificate.*not a PEM file/);
    expect(await show(url)).toEqual({ status: 200, name: `${name}-second` });
    const { port } = new URL(url);
    const other = start(`--port=${port}`, ...flags(await makeCertificate(folder, "other", authority)));
    expect(await other.ended()).toBe(2);
    expect(other.stderr).toContain(`Port ${port} is taken`);
  });

  test("admin routes can have a separate port", async () => {
    stator = start("--admin-port=0");
    const url = await ready();
    const [, adminUrl] = await stator.printed(/admin routes listen url=(\S+)/);
    expect((await fetch(`${url}/admin/workers`)).status).toBe(404);
    expect((await fetch(`${adminUrl}/admin/workers`)).status).toBe(200);
  });

  test("a key for another certificate is rejected", async () => {
    const [one, two] = [
      await makeCertificate(folder, `${name}-one`, authority),
      await makeCertificate(folder, `${name}-two`, authority),
    ];
    stator = start(...flags({ cert: one.cert, key: two.key }));
    expect(await stator.ended()).toBe(2);
    expect(stator.stderr).toContain("--tls-cert and --tls-key cannot be used");
  });
});

test("on Bun, clients need a certificate from --tls-client-ca", async () => {
  const server = await makeCertificate(folder, "bun-server", authority);
  const client = await makeCertificate(folder, "bun-client", authority);
  const args = ["attach", engine.url, "--port=0", "--config=none", ...flags(server)];
  stator = new StatorProcess([...args, `--tls-client-ca=${authority.cert}`], {}, LAUNCHERS.Bun!());
  const [, url] = await stator.printed(/Send requests to (https:\S+)\/v1/);
  expect((await show(url!, client)).status).toBe(200);
  await expect(show(url!)).rejects.toThrow();
});

test("on Deno, client certificates are rejected, because it cannot request them", async () => {
  const server = await makeCertificate(folder, "deno-server", authority);
  const args = ["attach", engine.url, "--port=0", "--config=none", ...flags(server)];
  stator = new StatorProcess([...args, `--tls-client-ca=${authority.cert}`], {}, LAUNCHERS.Deno!());
  expect(await stator.ended()).toBe(2);
  expect(stator.stderr).toContain("--tls-client-ca: not supported on Deno yet");
});

/** Sends a request. @returns its status and the common name of the server's certificate */
async function show(url: string, own?: Certificate): Promise<{ status: number | undefined; name: string }> {
  const identity = own && { cert: await readFile(own.cert), key: await readFile(own.key) };
  const agent = new Agent({ ca: await readFile(authority.cert), maxCachedSessions: 0, ...identity });
  const sent = request(`${url}/live`, { agent });
  sent.end();
  const [response] = await once(sent, "response");
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  response.resume();
  await once(response, "end");
  agent.destroy();
  return { status: response.statusCode, name: String(subject?.CN) };
}
