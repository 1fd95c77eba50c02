import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { Agent, createServer as createHttpsServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  replace,
} from "../../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { refusalOf } from "../refusal.ts";
import { StatorProcess } from "../stator-process.ts";
import { attach, chat } from "./attached.ts";

let engine: StandInProcess;
let folder: string;
let authority: Certificate;
let stator: StatorProcess | undefined;
let url: string;

beforeAll(async () => {
  folder = temporaryFolder();
  [engine, authority] = await Promise.all([StandInProcess.start("vllm"), makeAuthority(folder, "authority")]);
});

afterEach(async () => {
  await stator?.stop();
  stator = undefined;
});

const flags = ({ cert, key }: Certificate) => [`--tls-cert=${cert}`, `--tls-key=${key}`];

interface Shown {
  readonly status: number;
  readonly text: string;
  /** The name in the server's certificate. */
  readonly name: string;
}

/** One request over TLS. @param json posts a chat */
async function show(agent: Agent, path: string, json?: object): Promise<Shown> {
  const sent = request(url + path, {
    agent,
    ...(json && { method: "POST", headers: { "content-type": "application/json" } }),
  });
  sent.end(json && JSON.stringify(json));
  const [response] = await once(sent, "response");
  // A kept connection shows its certificate only once.
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text, name: String(subject?.CN) };
}

async function agentOf(own?: Certificate, keepAlive = false): Promise<Agent> {
  const identity: SecureContextOptions = own
    ? { cert: await readFile(own.cert), key: await readFile(own.key) }
    : {};
  // Without TLS sessions: a resumed one would show the old certificate.
  return new Agent({ ca: await readFile(authority.cert), keepAlive, maxCachedSessions: 0, ...identity });
}

describe("TLS", () => {
  test("reloads a new certificate without a restart and without dropping a connection", async () => {
    const first = await makeCertificate(folder, "first", authority);
    ({ stator, url } = await attach([engine.url], ...flags(first)));
    expect(url).toMatch(/^https:/);
    const kept = await agentOf(undefined, true);
    expect(await show(kept, "/live")).toMatchObject({ status: 200, name: "first" });
    expect((await show(kept, "/v1/chat/completions", chat())).status).toBe(200);
    expect((await show(kept, "/v1/chat/completions", chat({ stream: true }))).text).toContain("[DONE]");

    await replace(first, await makeCertificate(folder, "second", authority));
    await stator.printed(/certificate reloaded/);
    expect(await show(await agentOf(), "/live")).toMatchObject({ status: 200, name: "second" });
    const { name, status } = await show(kept, "/live");
    expect([status, name]).toEqual([200, "first"]);

    await writeFile(first.cert, "no certificate");
    await stator.printed(/unusable; keeping the previous certificate.*not a PEM file/);
    expect(await show(await agentOf(), "/live")).toMatchObject({ status: 200, name: "second" });
    kept.destroy();
  });

  test("admits only clients with a certificate from --tls-client-ca", async () => {
    const server = await makeCertificate(folder, "server", authority);
    const [known, strange] = [
      await makeCertificate(folder, "client", authority),
      await makeAuthority(folder, "stranger"),
    ];
    ({ stator, url } = await attach([engine.url], ...flags(server), `--tls-client-ca=${authority.cert}`));
    expect((await show(await agentOf(known), "/v1/chat/completions", chat())).status).toBe(200);
    await expect(agentOf().then((agent) => show(agent, "/live"))).rejects.toThrow();
    await expect(agentOf(strange).then((agent) => show(agent, "/live"))).rejects.toThrow();
  });

  test.each([
    [
      "a file that is not there",
      () => ["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"],
      "cannot be read (ENOENT)",
    ],
    [
      "a key of another certificate",
      async () => {
        const [one, two] = [
          await makeCertificate(folder, "one", authority),
          await makeCertificate(folder, "two", authority),
        ];
        return flags({ cert: one.cert, key: two.key });
      },
      "--tls-key is not the key of the certificate in --tls-cert",
    ],
    ["a certificate without its key", () => ["--tls-cert=/nowhere.pem"], "--tls-cert needs --tls-key too"],
  ])("does not start with %s", async (_what, make, message) => {
    const args = [engine.url, "--port=0", "--config=none", ...(await make())];
    const { code, stderr } = await refusalOf("attach", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

test("https: engines need --engine-ca and the gateway's client certificate", async () => {
  const [server, own] = [
    await makeCertificate(folder, "engine", authority),
    await makeCertificate(folder, "gateway", authority),
  ];
  const front = await startTlsFront(server);
  const address = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
  try {
    ({ stator, url } = await attach(
      [address],
      `--engine-ca=${authority.cert}`,
      `--engine-tls-cert=${own.cert}`,
      `--engine-tls-key=${own.key}`,
    ));
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(chat()),
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("chat.completion")]);
    // Examine the gateway, which has the certificates, and then the engine itself.
    const certificates = [
      `--engine-ca=${authority.cert}`,
      `--engine-tls-cert=${own.cert}`,
      `--engine-tls-key=${own.key}`,
    ];
    for (const asked of [[url], [address, ...certificates]]) {
      const doctor = new StatorProcess(["doctor", "--config=none", ...asked]);
      await doctor.ended();
      expect(doctor.stdout).toContain("It answered a test request");
    }
    await stator.stop();

    ({ stator, url } = await attach([address], `--engine-ca=${authority.cert}`));
    expect((await fetch(`${url}/health`)).status).toBe(503);
    await stator.stop();

    ({ stator, url } = await attach([address]));
    expect(stator.stdout).toMatch(/not up yet: .*certificate.*--engine-ca FILE/);
  } finally {
    front.closeAllConnections();
    front.close();
  }
});

/** An engine behind TLS that requires a client certificate. */
async function startTlsFront({ cert, key }: Certificate): Promise<Server> {
  const options = {
    cert: await readFile(cert),
    key: await readFile(key),
    ca: await readFile(authority.cert),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const front = createHttpsServer(options, (incoming, outgoing) => {
    const { method, headers } = incoming;
    const inner = requestHttp(engine.url + incoming.url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(inner);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  return front;
}
