import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { suiteOfTools } from "./tools.suite.ts";

// Clients that call tools: with a model on a worker, and with an attached engine whose Messages and Responses are
// translated to chats.

const processes: StatorProcess[] = [];
let worker: string;
let engine: string;

beforeAll(async () => {
  const start = async (...args: string[]) => {
    const stator = new StatorProcess([...args, "--port=0", "--config=none"]);
    processes.push(stator);
    const [, url] = await stator.printed(/(http:\/\/127\.0\.0\.1:\d+)\/v1\b/);
    return url!;
  };
  worker = await start("up", `--engine=${join(import.meta.dirname, "agent-worker.ts")}`, "--workers=1");
  engine = await start("attach", worker, "--translate=always");
});

afterAll(async () => {
  for (const stator of processes.reverse()) expect(await stator.stop()).toBe(0);
});

suiteOfTools("a worker", { url: () => worker, model: "agent" });
suiteOfTools("an attached engine", { url: () => engine, model: "agent" });
