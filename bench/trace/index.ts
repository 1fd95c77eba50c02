import { writeFileSync } from "node:fs";
import { runCommand } from "../command-line.ts";
import { leastTtftMs, type Replay, replayOf, requestsOf } from "./cases.ts";
import { HELP, readOptions, type TraceOptions } from "./options.ts";
import { plotTables } from "./plot.ts";
import { formatTable, type Row, type Table } from "./report.ts";
import { rowNames } from "./rows.ts";
import { quantilesOf, type SimulationResult } from "./simulate.ts";
import type { Job } from "./thread.ts";
import { runJobs } from "./threads.ts";

async function run(options: TraceOptions): Promise<void> {
  const replays = options.workers.map((workers) => replayOf(workers, options));
  const rows = rowNames(options);
  // Long-running rows go first, so that all cores stay busy until the end.
  const jobs = [...replays].reverse().flatMap((replay) => rows.map((row) => ({ row, replay })));
  const results = new Map<Job, SimulationResult>();
  const begin = performance.now();
  await runJobs<Job, SimulationResult>(
    new URL("thread.ts", import.meta.url),
    options,
    jobs,
    (job, result) => {
      results.set(job, result);
      const seconds = ((performance.now() - begin) / 1000).toFixed(0);
      process.stderr.write(
        `${results.size} of ${jobs.length}, ${seconds} s: ${job.row} at ${job.replay.workers} workers\n`,
      );
    },
  );
  const tables = replays.map((replay) => {
    const rows = jobs
      .filter((job) => job.replay === replay)
      .map((job): Row => ({ name: job.row, ...results.get(job)! }));
    return toTable(replay, rows, options);
  });
  for (const table of tables) process.stdout.write(formatTable(table));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(tables, undefined, 2)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, plotTables(tables));
}

function toTable(replay: Replay, rows: readonly Row[], options: TraceOptions): Table {
  return { ...replay, rows, leastTtftMs: quantilesOf(leastTtftMs(requestsOf(replay, options.trace))) };
}

/** `npm run bench:trace` */
await runCommand(HELP, () => readOptions(process.argv.slice(2)), run);
