import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { compileRouter, type Policy } from "#router-wasm";
import { H100_8B } from "#workers";
import { runCommand } from "../command-line.ts";
import { HELP, readOptions, type TraceOptions } from "./options.ts";
import { formatTable, type Row } from "./report.ts";
import { type SimulationResult, simulate } from "./simulate.ts";
import { multiply, readTrace, type TraceRequest } from "./trace.ts";

/** A mock worker: an 8-billion-parameter model on one H100 with a million tokens of KV memory. */
const SHAPE = { blockSize: 64, totalBlocks: 16_384, maxSequences: 256, maxBatchedTokens: 8192 };

const POLICIES: readonly [name: string, policy: Policy, knowledge: "events" | "guess"][] = [
  ["random", "random", "events"],
  ["round-robin", "round-robin", "events"],
  ["least-loaded", "least-loaded", "events"],
  ["approximate", "kv", "guess"],
  ["kv", "kv", "events"],
];

async function run(options: TraceOptions): Promise<void> {
  const module = await compileRouter(readFileSync(routerWasm));
  const trace = readTrace(options.trace);
  const tables: { workers: number; rows: Row[] }[] = [];
  for (const workers of options.workers) {
    const times = options.multiply ?? Math.max(1, Math.floor(workers / 64));
    const rows = runPolicies(module, multiply(trace, times), workers, options);
    tables.push({ workers, rows });
    if (!options.json) process.stdout.write(formatTable(workers, times, rows));
  }
  if (options.json) process.stdout.write(`${JSON.stringify(tables)}\n`);
}

function runPolicies(
  module: WebAssembly.Module,
  trace: readonly TraceRequest[],
  workers: number,
  { overlapCredit, prefillLoadScale, ttftSlaMs, itlSlaMs }: TraceOptions,
): Row[] {
  const common = { trace, ttftSlaMs, itlSlaMs };
  const weights = {
    ...(overlapCredit !== undefined && { overlapCredit }),
    ...(prefillLoadScale !== undefined && { prefillLoadScale }),
  };
  const rows = POLICIES.map(([name, policy, knowledge]) => ({
    policy: name,
    ...simulate(module, { ...common, workers, policy, knowledge, weights, shape: SHAPE, timing: H100_8B }),
  }));
  return [...rows, { policy: "oracle", ...simulateOracle(module, common, workers) }];
}

/** One worker with the memory and the speed of all. */
function simulateOracle(
  module: WebAssembly.Module,
  common: { trace: readonly TraceRequest[]; ttftSlaMs: number; itlSlaMs: number },
  workers: number,
): SimulationResult {
  const { blockSize, totalBlocks, maxSequences, maxBatchedTokens } = SHAPE;
  return simulate(module, {
    ...common,
    workers: 1,
    policy: "kv",
    knowledge: "events",
    shape: {
      blockSize,
      totalBlocks: totalBlocks * workers,
      maxSequences: maxSequences * workers,
      maxBatchedTokens: maxBatchedTokens * workers,
    },
    timing: {
      baseMs: H100_8B.baseMs,
      prefillTokenMs: H100_8B.prefillTokenMs / workers,
      prefillPairMs: H100_8B.prefillPairMs / workers,
      contextTokenMs: H100_8B.contextTokenMs / workers,
    },
  });
}

/** `npm run bench:trace` */
await runCommand(HELP, () => readOptions(process.argv.slice(2)), run);
