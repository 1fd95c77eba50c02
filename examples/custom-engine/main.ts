/**
 * An engine of your own behind the full gateway: two workers with KV events, and requests that go where their beginning
 * is cached.
 *
 *     npm run example examples/custom-engine
 *     npm run example examples/custom-engine -- --discovery etcd://127.0.0.1:2379
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** How long the gateway may take to find workers that are ready, in seconds. */
const FIND_SECONDS = 20;

const { values } = parseArgs({ options: { discovery: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "custom-engine-"));
const discovery = values.discovery ?? `file:${folder}`;
const engine = fileURLToPath(new URL("engine.ts", import.meta.url));
const exits: Promise<unknown>[] = [];
/** Stops all that runs: at the end, or by a signal. */
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    process.exitCode = 128 + constants.signals[signal];
    stopping.abort();
  });
}

try {
  const gateway = stator("gateway", "--port=0", "--slow-start=0");
  const url = await printed(gateway, /listening.* url=(\S+)/);
  const own: string[] = [];
  for (const name of ["one", "two"])
    own.push(await printed(stator("worker", engine, `--name=${name}`), /worker is ready.* address=(\S+)/));
  await untilFound(url, own);

  const story = "Once upon a time, in a house by the sea, there lived an octopus. ".repeat(8);
  for (const question of ["who lived there?", "where was it?", "where was it?"]) {
    const { text, worker, cached, prompt } = await ask(url, story + question);
    console.log(`${worker} answers ${JSON.stringify(text)}: ${cached} of ${prompt} blocks were cached`);
  }
} catch (error) {
  if (!stopping.signal.aborted) throw error;
} finally {
  stopping.abort();
  await Promise.all(exits);
  rmSync(folder, { recursive: true });
}

function stator(...args: string[]): ChildProcess {
  const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, ...args, `--discovery=${discovery}`, "--config=none"], {
    // Through the channel, it notices if this process is killed.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Ctrl-C reaches this process alone, which stops the others.
    detached: true,
    signal: stopping.signal,
  });
  child.on("error", () => {});
  exits.push(new Promise((resolve) => child.once("close", resolve)));
  return child;
}

/** What the process prints by this pattern. */
async function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (output += chunk));
  for (;;) {
    const match = pattern.exec(output);
    if (match !== null) return match[1] ?? "";
    if (child.exitCode !== null || child.signalCode !== null) throw failure("process_ended", output);
    await sleep(20, undefined, { signal: stopping.signal });
  }
}

/** Waits until the gateway can send requests to the workers at these addresses; others may have joined before. */
async function untilFound(url: string, addresses: readonly string[]): Promise<void> {
  const deadline = performance.now() + FIND_SECONDS * 1000;
  for (;;) {
    const ready = await readyWorkers(url);
    if (addresses.every((address) => ready.has(address))) return;
    if (performance.now() > deadline)
      throw failure(
        "workers_missing",
        `The gateway has not reached both workers within ${FIND_SECONDS} s: look at ${discovery} and ${addresses.join(", ")}.`,
      );
    await sleep(50, undefined, { signal: stopping.signal });
  }
}

/** The addresses of all workers that are ready. */
async function readyWorkers(url: string): Promise<ReadonlySet<string>> {
  const response = await fetch(`${url}/admin/workers`, { signal: stopping.signal });
  const { data } = (await response.json()) as { data: { state: string; url: string }[] };
  return new Set(data.filter(({ state }) => state === "ready").map((worker) => worker.url));
}

async function ask(url: string, prompt: string) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify({ model: "shouter", prompt, max_tokens: 20 }),
    signal: stopping.signal,
  });
  const { choices } = (await response.json()) as { choices: { text: string }[] };
  const header = (name: string) => response.headers.get(`x-stator-${name}`);
  const answer = { text: choices[0]?.text, worker: header("worker"), cached: header("overlap-blocks") };
  // The next request should find what this one has left in the cache.
  await sleep(100, undefined, { signal: stopping.signal });
  return { ...answer, prompt: header("prompt-blocks") };
}

/** An error that `npm run example` prints as a sentence. */
function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
