import { runCommand, showProgress } from "../command-line.ts";
import { measure } from "./measure.ts";
import { HELP, readOptions } from "./options.ts";
import { formatReport, report } from "./report.ts";

// Background processes are ended on exit, which signals must trigger.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

/** `npm run bench:attach` */
await runCommand(
  HELP,
  () => readOptions(process.argv.slice(2)),
  async (options) => {
    const result = report(options, await measure(options, showProgress));
    showProgress("");
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : formatReport(result));
  },
);
