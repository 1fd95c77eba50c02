import { writeFileSync } from "node:fs";
import { runCommand } from "../command-line.ts";
import { runJobs } from "../trace/threads.ts";
import { type Case, encoderCases, routingCases } from "./cases.ts";
import { formatCosts, measureCosts } from "./cost/index.ts";
import { HELP, type MultimodalOptions, readOptions } from "./options.ts";
import { formatTables, formatWinners, plot, type Row } from "./report.ts";
import type { PictureResult } from "./simulation/simulate.ts";

async function run(options: MultimodalOptions): Promise<void> {
  const { only, files, rounds } = options;
  const isWanted = (part: string) => only === part || only === "all";
  // Before the threads, which would disturb it.
  const costs = isWanted("cost") ? await measureCosts({ sizes: files, rounds }) : [];
  if (costs.length > 0) process.stdout.write(`\nA picture in the gateway\n${formatCosts(costs)}`);
  const rows = await simulateAll(options, [
    ...(isWanted("routing") ? routingCases(options) : []),
    ...(isWanted("encoders") ? encoderCases(options) : []),
  ]);
  process.stdout.write(formatTables(rows) + formatWinners(rows));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ costs, rows }, undefined, 2)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, plot(rows));
}

async function simulateAll(options: MultimodalOptions, cases: readonly Case[]): Promise<Row[]> {
  const results = new Map<Case, PictureResult>();
  const begin = performance.now();
  await runJobs<Case, PictureResult>(new URL("thread.ts", import.meta.url), options, cases, (job, result) => {
    results.set(job, result);
    const seconds = ((performance.now() - begin) / 1000).toFixed(0);
    process.stderr.write(
      `${results.size} of ${cases.length}, ${seconds} s: ${job.title}, ${job.place}, ${job.name}\n`,
    );
  });
  return cases.map((job): Row => ({ case: job, ...results.get(job)! }));
}

/** `npm run bench:multimodal` */
await runCommand(HELP, () => readOptions(process.argv.slice(2)), run);
