import { writeFileSync } from "node:fs";
import { runCommand } from "../command-line.ts";
import { runJobs } from "../trace/threads.ts";
import { type Case, ratioCases, shapeCases, thresholdCases } from "./cases.ts";
import { type DisaggOptions, HELP, readOptions } from "./options.ts";
import { formatTables, plot, type Row } from "./report.ts";
import type { DisaggResult } from "./simulate.ts";

const TABLES = { ratios: ratioCases, thresholds: thresholdCases, shapes: shapeCases } as const;

async function run(options: DisaggOptions): Promise<void> {
  const makers = options.only === "all" ? Object.values(TABLES) : [TABLES[options.only]];
  const cases = makers.flatMap((make) => make(options));
  const results = new Map<Case, DisaggResult>();
  const begin = performance.now();
  await runJobs<Case, DisaggResult>(new URL("thread.ts", import.meta.url), options, cases, (job, result) => {
    results.set(job, result);
    const seconds = ((performance.now() - begin) / 1000).toFixed(0);
    process.stderr.write(`${results.size} of ${cases.length}, ${seconds} s: ${job.table}, ${job.name}\n`);
  });
  const rows = cases.map((job): Row => ({ case: job, ...results.get(job)! }));
  process.stdout.write(formatTables(rows));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, undefined, 2)}\n`);
  const ratios = new Set(ratioCases(options).map(({ table }) => table));
  if (options.svg !== undefined)
    writeFileSync(options.svg, plot(rows.filter((row) => ratios.has(row.case.table))));
}

/** `npm run bench:disagg` */
await runCommand(HELP, () => readOptions(process.argv.slice(2)), run);
