import { measure } from "./measure.ts";
import { HELP, readOptions, UsageError } from "./options.ts";
import { formatReport, report } from "./report.ts";

/** `npm run bench:gateway` */
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(HELP);
  } else {
    const levels = await measure(options, showProgress);
    showProgress("");
    const result = report(options, levels);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : formatReport(result));
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
