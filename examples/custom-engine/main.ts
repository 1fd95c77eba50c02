/**
 * An engine of your own behind the full gateway: two workers with KV events, and requests that go where their beginning
 * is cached.
 *
 *     npm run example examples/custom-engine
 *     npm run example examples/custom-engine -- --discovery etcd://127.0.0.1:2379
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { discovery: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "custom-engine-"));
const shared = [`--discovery=${values.discovery ?? `file:${folder}`}`, "--config=none"];
const engine = fileURLToPath(new URL("engine.ts", import.meta.url));
const running: ChildProcess[] = [];

try {
  const gateway = stator("gateway", "--port=0", "--slow-start=0");
  const url = await printed(gateway, /listening.* url=(\S+)/);
  for (const name of ["one", "two"])
    await printed(stator("worker", engine, `--name=${name}`), /worker is ready/);
  await until(async () => (await readyWorkers(url)) === 2);

  const story = "Once upon a time, in a house by the sea, there lived an octopus. ".repeat(8);
  for (const question of ["who lived there?", "where was it?", "where was it?"]) {
    const { text, worker, cached, prompt } = await ask(url, story + question);
    console.log(`${worker} answers ${JSON.stringify(text)}: ${cached} of ${prompt} blocks were cached`);
  }
} finally {
  for (const each of running) each.kill("SIGTERM");
  await Promise.all(running.map((each) => each.exitCode ?? once(each, "exit")));
  rmSync(folder, { recursive: true });
}

function stator(...args: string[]): ChildProcess {
  const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, ...args, ...shared], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return child;
}

/** What the process prints by this pattern. */
async function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (output += chunk));
  for (;;) {
    const match = pattern.exec(output);
    if (match !== null) return match[1] ?? "";
    if (child.exitCode !== null) throw Object.assign(new Error(output), { code: "process_ended" });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ask(url: string, prompt: string) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify({ model: "shouter", prompt, max_tokens: 20 }),
  });
  const { choices } = (await response.json()) as { choices: { text: string }[] };
  const header = (name: string) => response.headers.get(`x-stator-${name}`);
  const answer = { text: choices[0]?.text, worker: header("worker"), cached: header("overlap-blocks") };
  // The next request should find what this one has left in the cache.
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { ...answer, prompt: header("prompt-blocks") };
}

async function readyWorkers(url: string): Promise<number> {
  const { data } = (await (await fetch(`${url}/admin/workers`)).json()) as { data: { state: string }[] };
  return data.filter(({ state }) => state === "ready").length;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}
