import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Faults } from "#stand-ins";
import { stall } from "../../../scripts/testing/stall.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { isAlive } from "../../is-alive.ts";
import { ask, attach, bearer, chat } from "../access/attached.ts";
import { keys } from "../access/key-file.ts";
import { metric, until } from "../metrics.ts";
import type { StatorProcess } from "../stator-process.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

// A gateway of several processes behaves as one, whichever process a connection reaches.

const PROCESSES = 3;

let engines: StandInProcess[];
let stator: StatorProcess;
let url: string;
let key: string;
let limited: string;

beforeAll(async () => {
  const file = join(temporaryFolder(), "keys.yaml");
  key = await keys(file, "add", "all", "--admin");
  limited = await keys(file, "add", "some", "--requests-per-minute=3");
  engines = await Promise.all(
    [1, 2].map(() => StandInProcess.start("vllm", "--inter-token-ms=5", "--kv-port=0", "--replay-port=0")),
  );
  const urls = engines.map((engine) => engine.url);
  const flags = [`--processes=${PROCESSES}`, `--keys=${file}`, "--max-inflight=40", "--slow-start=0"];
  ({ stator, url } = await attach(
    urls,
    ...flags,
    "--health-interval=0.2",
    `--first-token-timeout=${2 * stall()}`,
  ));
});

afterAll(async () => {
  await stator.stop();
});

/** Uses a new connection, which the system assigns to one of the processes. */
const newConnection = (bearerKey = key) => ({ ...bearer(bearerKey), connection: "close" });

const post = (path: string, json: object, bearerKey?: string) =>
  ask(`${url}${path}`, { json, headers: { ...newConnection(bearerKey), "x-stator-explain": "true" } });

const get = (path: string) => ask(`${url}${path}`, { headers: newConnection() });

/** Pauses answers after some tokens, so that all are in flight at once. @returns a function that resumes them */
async function hold(): Promise<() => Promise<unknown>> {
  const all = (faults: Partial<Faults>) => Promise.all(engines.map((engine) => engine.faults(faults)));
  await all({ hangAfterTokens: 3 });
  return () => all({});
}

test("every process serves, and all know the engines' caches", async () => {
  const prompt = "A long beginning that all of these requests have in common. ".repeat(8);
  const first = await post("/v1/completions", { model: "tiny", prompt, max_tokens: 1 });
  expect(first.status).toBe(200);
  const blocks = Number(first.headers.get("x-stator-prompt-blocks"));
  const worker = first.headers.get("x-stator-worker");
  await until(async () => (await stored()) >= blocks);
  const sockets = socketsOf(acceptors());
  // One after the other: together they would be too many for one engine.
  for (let index = 0; index < 30; index++) {
    const body = { model: "tiny", prompt: `${prompt}${index}`, max_tokens: 1 };
    const { headers } = await post("/v1/completions", body);
    expect(headers.get("x-stator-worker")).toBe(worker);
    expect(Number(headers.get("x-stator-overlap-blocks"))).toBeGreaterThanOrEqual(blocks);
  }
  expect(sockets.length).toBe(PROCESSES);
  expect(await sum("stator_requests_total", { status: "200" })).toBe(31);
});

test("all know the engines' load", async () => {
  const letGo = await hold();
  const abort = new AbortController();
  const streams = Array.from({ length: 24 }, (_, index) =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      signal: abort.signal,
      headers: { ...newConnection(), "content-type": "application/json" },
      body: JSON.stringify(
        chat({ stream: true, messages: [{ role: "user", content: `${index} is my question` }] }),
      ),
    }),
  );
  await Promise.all(streams);
  const loads = await Promise.all(
    engines.map(({ name }) => sum("stator_worker_active_requests", { worker: name })),
  );
  abort.abort();
  await letGo();
  await until(async () => (await sum("stator_worker_active_requests")) === 0);
  expect(loads[0]! + loads[1]!).toBe(24);
  for (const load of loads) expect(load).toBeGreaterThanOrEqual(6);
});

test("the processes share key limits and --max-inflight", async () => {
  const statuses: number[] = [];
  for (let index = 0; index < 9; index++) {
    statuses.push((await post("/v1/chat/completions", chat(), limited)).status);
    // Each asks every process: by the second answer, all have counted that request.
    for (let round = 0; round < 2; round++) await sum("stator_requests_total");
  }
  expect(statuses.toSorted()).toEqual([200, 200, 200, 429, 429, 429, 429, 429, 429]);

  const letGo = await hold();
  const held = Array.from({ length: 40 }, (_, index) =>
    streamChat(clientOf(url, key), `Number ${index}`, 20),
  );
  await until(async () => (await sum("stator_inflight_requests")) === 40);
  const refused = await Promise.all(Array.from({ length: 9 }, () => post("/v1/chat/completions", chat())));
  expect(refused.map(({ status }) => status)).toEqual(Array(9).fill(503));
  await letGo();
  for (const { finishReason } of await Promise.all(held)) expect(finishReason).toBe("length");
  expect((await post("/v1/chat/completions", chat())).status).toBe(200);
});

test("attaching or detaching an engine applies to all processes", async () => {
  const more = await StandInProcess.start("sglang", "--model=other");
  expect((await post("/admin/workers", { url: more.url, name: "more" })).status).toBe(201);
  const all = () =>
    Promise.all(Array.from({ length: 12 }, () => post("/v1/chat/completions", chat({ model: "other" }))));
  // Each process learns of it a moment later.
  await until(async () => (await all()).every(({ status }) => status === 200));
  const gone = await ask(`${url}/admin/workers/more`, { method: "DELETE", headers: newConnection() });
  expect(gone.status).toBe(202);
  await until(async () => (await get("/admin/workers/more")).status === 404);
  await until(async () => (await all()).every(({ status }) => status >= 400));
  await more.kill();
});

test("killing an engine in the middle of streams loses nothing", async () => {
  const [victim, other] = engines;
  const questions = Array.from({ length: 24 }, (_, index) => `Question ${index}`);
  const direct = clientOf(other!.url);
  const truth = await Promise.all(questions.map((question) => streamChat(direct, question, 60)));
  let begun = 0;
  let killed: Promise<void> | undefined;
  const answers = await Promise.all(
    questions.map((question) => {
      let hasBegun = false;
      return streamChat(clientOf(url, key), question, 60, () => {
        if (!hasBegun && ++begun === 12) killed = victim!.kill();
        hasBegun = true;
      });
    }),
  );
  await killed;
  expect(answers.map(({ text }) => text)).toEqual(truth.map(({ text }) => text));
  await victim!.restart();
  await until(async () => JSON.stringify((await get("/health")).body).match(/"ready"/g)?.length === 4);
});

test("a killed process loses only its own streams, and is restarted", async () => {
  const before = acceptors();
  expect(before).toHaveLength(PROCESSES);
  let begun = 0;
  const streams = Array.from({ length: 24 }, (_, index) => {
    let hasBegun = false;
    return streamChat(clientOf(url, key), `A stream numbered ${index}`, 200, () => {
      if (!hasBegun && ++begun === 24) process.kill(before[0]!, "SIGKILL");
      hasBegun = true;
    });
  });
  const outcomes = await Promise.allSettled(streams);
  const whole = outcomes.filter(
    (outcome) => outcome.status === "fulfilled" && outcome.value.finishReason === "length",
  );
  expect(whole.length).toBeGreaterThan(0);
  await until(async () => acceptors().length === PROCESSES && !acceptors().includes(before[0]!));
  await until(async () => (await sum("stator_worker_active_requests")) === 0);
  // Whichever process it reaches, once the new one listens.
  await stator.printed(/restarting it/);
  await until(async () => socketsOf(acceptors()).length === PROCESSES);
  const answers = await Promise.all(Array.from({ length: 12 }, () => post("/v1/chat/completions", chat())));
  expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
});

test("SIGTERM lets streams finish and stops every process", async () => {
  const pids = acceptors();
  let stopped: Promise<number | NodeJS.Signals> | undefined;
  const answer = await streamChat(clientOf(url, key), "Hello", 150, () => {
    stopped ??= stator.stop();
  });
  expect(answer.finishReason).toBe("length");
  expect(await stopped).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test("a killed gateway leaves no process behind", async () => {
  const { stator: other } = await attach([engines[0]!.url], "--processes=2");
  const pids = childrenOf(other.pid);
  expect(pids).toHaveLength(2);
  other.signal("SIGKILL");
  await other.ended();
  await until(async () => !pids.some(isAlive));
});

test("a port in use is an error, although the processes share one", async () => {
  const first = await attach([engines[0]!.url], "--processes=2");
  const { port } = new URL(first.url);
  await expect(attach([engines[0]!.url], "--processes=2", `--port=${port}`)).rejects.toThrow(
    `Port ${port} is taken by another program.`,
  );
  expect(await first.stator.stop()).toBe(0);
});

const sum = (name: string, labels?: Record<string, string>) => metric(url, name, labels, bearer(key));

const stored = () => sum("stator_worker_stored_blocks");

const acceptors = () => childrenOf(stator.pid);

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
}

/** Those of the processes that listen on the gateway's port. */
function socketsOf(pids: readonly number[]): number[] {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set(
    readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => local?.endsWith(`:${port}`) && state === "0A")
      .map((fields) => fields[9]),
  );
  return pids.filter((pid) => openSockets(pid).some((inode) => inodes.has(inode)));
}

function openSockets(pid: number): (string | undefined)[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1];
    } catch {
      // It has been closed meanwhile.
      return undefined;
    }
  });
}
