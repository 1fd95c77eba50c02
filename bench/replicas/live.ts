import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { usageOf } from "../attach/process-usage.ts";

const PEER = fileURLToPath(new URL("peer.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const CONNECTIONS = 32;

/** How many microseconds after a booking another gateway has it, in order. */
export async function shareDelays(): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), "stator-replicas-"));
  const run = (role: string) =>
    promisify(execFile)(process.execPath, [PEER, `file:${folder}/discovery`, role]);
  try {
    const [{ stdout }] = await Promise.all([run("receive"), run("send")]);
    return (JSON.parse(stdout) as number[]).sort((one, other) => one - other);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Throughput {
  readonly gateways: number;
  readonly requestsPerSecond: number;
  /** CPU of all gateways, in milliseconds per request. */
  readonly gatewayCpuMs: number;
}

/** Short requests as fast as gateways and their client can, all on this machine. */
export async function throughput(gateways: number, seconds: number): Promise<Throughput> {
  const folder = mkdtempSync(join(tmpdir(), "stator-replicas-"));
  const running: ChildProcess[] = [];
  const start = (...args: string[]) => {
    const child = startStator(...args, `--discovery=file:${folder}/discovery`);
    running.push(child);
    return child;
  };
  try {
    const fronts = Array.from({ length: gateways }, () => start("gateway", "--port=0", "--slow-start=0"));
    start("worker", "mocker", "--workers=4", "--speedup=0", "--model-name=mock");
    const urls = await Promise.all(fronts.map((front) => printed(front, /listening.* url=(\S+)/)));
    for (const url of urls) while (!(await isReady(url))) await sleep(50);
    const cpu = () => fronts.reduce((sum, { pid }) => sum + usageOf(pid!).cpuSeconds, 0);
    const before = cpu();
    const count = await load(urls, seconds);
    return {
      gateways,
      requestsPerSecond: count / seconds,
      gatewayCpuMs: ((cpu() - before) * 1000) / count,
    };
  } finally {
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(running.map((child) => child.exitCode ?? once(child, "exit")));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a `stator` command. */
export const startStator = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args, "--config=none"], { stdio: ["ignore", "pipe", "pipe"] });

async function load(urls: readonly string[], seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, index) => {
      const url = urls[index % urls.length]!;
      while (performance.now() < until) {
        const response = await fetch(`${url}/v1/completions`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "mock", prompt: `question ${index}`, max_tokens: 4 }),
        });
        if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
        await response.arrayBuffer();
        count++;
      }
    }),
  );
  return count;
}

async function isReady(url: string): Promise<boolean> {
  const { models = [] } = (await (await fetch(`${url}/health`)).json()) as {
    models?: { workers: { status: string }[] }[];
  };
  return models.flatMap(({ workers }) => workers).filter(({ status }) => status === "ready").length === 4;
}

/** The first group of the pattern in what a process prints. @throws Error if it ends without */
export async function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  for (;;) {
    const match = pattern.exec(output);
    if (match !== null) return match[1] ?? "";
    if (child.exitCode !== null) throw new Error(`A process has ended: ${output}`);
    await sleep(20);
  }
}
