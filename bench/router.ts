import { runCommand, showProgress } from "./command-line.ts";
import { measure } from "./router/measure.ts";
import { HELP, type RouterBenchOptions, readOptions } from "./router/options.ts";
import { formatRows } from "./router/report.ts";

/** `npm run bench:router` */
await runCommand(
  HELP,
  () => readOptions(process.argv.slice(2)),
  async (options) => {
    if (options.mode === undefined) return await compare(options);
    // Imported late, because these modules read the core, which `measure` builds.
    const { runMode } = await import("./router/modes.ts");
    await runMode(options.mode, options);
  },
);

async function compare(options: RouterBenchOptions): Promise<void> {
  const { rows, problem } = await measure(options, showProgress);
  showProgress("");
  if (problem !== undefined) process.stderr.write(`${problem}\n`);
  // One object per line, for each number of workers.
  if (options.json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else process.stdout.write(formatRows(rows, options));
}
