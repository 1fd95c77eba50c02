import { AccessError, diagnoseEngines } from "#gateway";
import { createLogger } from "#runtime";
import { loadRouterModule } from "../assets.ts";
import { diagnosisText } from "../doctor/text.ts";
import { readOptions, UsageError } from "../options/read.ts";
import { doctorOptions } from "../options/tables.ts";
import { type Command, commandHelp } from "./command.ts";
import { enginesOf, engineTlsFiles, tokenizersOf } from "./engine-options.ts";

export const doctorCommand: Command = {
  help: () =>
    commandHelp(
      "doctor URL… [OPTIONS]",
      `Examines engines and proves that requests can be routed by what their caches hold. Says what is wrong, what it
costs, and which flag of which engine mends it. Each engine gets two short requests for one token. A running gateway, by
its address, examines its own engines, with the keys and certificates that it has; --engine-key is then its admin key,
and no engine is sent it. Exit code: 0 all is well, 1 something is wrong, 2 wrong usage.`,
      doctorOptions,
    ),
  async run(argv) {
    const { options, positionals } = readOptions(doctorOptions, argv, process.env);
    const engines = enginesOf("doctor", options, positionals);
    const diagnosis = await diagnoseEngines(engines, {
      routerModule: await loadRouterModule(),
      tokenizers: tokenizersOf(options),
      engineTls: engineTlsFiles(options),
      timeoutMs: options.timeout * 1000,
      // What matters is in the diagnosis.
      log: createLogger({ name: "doctor", level: "error" }),
    }).catch((error: Error) => {
      const isUsage = error.name === "ApiError" || error instanceof AccessError;
      throw isUsage ? new UsageError(error.message) : error;
    });
    const text = options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis);
    await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
    return diagnosis.isWell ? 0 : 1;
  },
};
