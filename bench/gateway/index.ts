import { runCommand, showProgress } from "../command-line.ts";
import { measure } from "./measure.ts";
import { HELP, readOptions } from "./options.ts";
import { formatReport, report } from "./report.ts";

/** `npm run bench:gateway` */
await runCommand(
  HELP,
  () => readOptions(process.argv.slice(2)),
  async (options) => {
    const levels = await measure(options, showProgress);
    showProgress("");
    const result = report(options, levels);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : formatReport(result));
  },
);
