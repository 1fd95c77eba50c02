import { UsageError } from "./gateway/options.ts";
import { measure } from "./router/measure.ts";
import { HELP, readOptions } from "./router/options.ts";
import { formatRows } from "./router/report.ts";

/** `npm run bench:router` */
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(HELP);
  } else {
    const { rows, problem } = await measure(options, showProgress);
    showProgress("");
    if (problem !== undefined) process.stderr.write(`${problem}\n`);
    // One object, one line, for each number of workers.
    if (options.json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    else process.stdout.write(formatRows(rows, options));
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}

/** One line that is written over, for people only. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
