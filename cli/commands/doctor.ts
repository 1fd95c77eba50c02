import { AccessError, diagnoseEngines } from "#gateway";
import { createLogger } from "#runtime";
import { loadRouterModule } from "../assets.ts";
import { clusterText, diagnoseCluster } from "../doctor/cluster.ts";
import { diagnosisText } from "../doctor/text.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { doctorOptions } from "../options/tables.ts";
import type { Command } from "./command.ts";
import { enginesOf, engineTlsFiles, tokenizersOf } from "./engine-options.ts";
import { checkEvents, isFromWorkers } from "./events-settings.ts";
import { workerPlane } from "./plane-settings.ts";

export const doctorCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(doctorOptions, argv, process.env);
    if (options.discovery !== undefined && positionals.length === 0) return examineCluster(options);
    const engines = enginesOf("doctor", options, positionals);
    const diagnosis = await diagnoseEngines(engines, {
      routerModule: await loadRouterModule(),
      tokenizers: tokenizersOf(options),
      engineTls: engineTlsFiles(options),
      timeoutMs: options.timeout * 1000,
      // The diagnosis has everything that matters.
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

async function examineCluster(options: OptionValues<typeof doctorOptions>): Promise<number> {
  const { tls, nats } = await workerPlane(options);
  const timeoutMs = options.timeout * 1000;
  const events = isFromWorkers(options.events) ? undefined : checkEvents(options.events);
  const report = await diagnoseCluster(options.discovery!, { tls, nats, events, timeoutMs });
  const text = options.json ? `${JSON.stringify(report, null, 2)}\n` : clusterText(report);
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
  return report.isWell ? 0 : 1;
}
