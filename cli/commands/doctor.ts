import { AccessError, diagnoseEngines } from "#gateway";
import { parseHttpUrl } from "#gateway/choices";
import { createLogger } from "#runtime";
import { loadRouterModule } from "../assets.ts";
import { clusterText, diagnoseCluster } from "../doctor/cluster.ts";
import { diagnoseIsolation, isolationSummary } from "../doctor/isolation.ts";
import { isolationClient } from "../doctor/isolation-client.ts";
import { diagnosisText, reportText } from "../doctor/text.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { doctorOptions } from "../options/tables.ts";
import type { Command } from "./command.ts";
import { enginesOf, engineTlsFiles, tokenizersOf } from "./engine-options.ts";
import { eventsUrl } from "./events-settings.ts";
import { workerPlane } from "./plane-settings.ts";

export const doctorCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(doctorOptions, argv, process.env);
    if (options.isolation) return examineIsolation(options, positionals);
    if (options["client-keys"].length > 0) throw new UsageError("--client-keys needs --isolation.");
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
    return print(diagnosis, options, diagnosisText);
  },
};

type DoctorOptions = OptionValues<typeof doctorOptions>;

async function examineCluster(options: DoctorOptions): Promise<number> {
  const { tls, nats } = await workerPlane(options);
  const timeoutMs = options.timeout * 1000;
  const events = eventsUrl(options);
  const report = await diagnoseCluster(options.discovery!, { tls, nats, events, timeoutMs });
  return print(report, options, clusterText);
}

async function examineIsolation(options: DoctorOptions, positionals: readonly string[]): Promise<number> {
  const [one, other, ...more] = options["client-keys"];
  if (one === undefined || other === undefined || more.length > 0)
    throw new UsageError("--isolation needs two of the gateway's API keys: --client-keys KEY,KEY.");
  if (one === other)
    throw new UsageError("--client-keys names the same key twice; --isolation compares two different keys.");
  const [address, ...others] = positionals;
  const url = address === undefined ? undefined : parseHttpUrl(address);
  if (url === undefined || others.length > 0)
    throw new UsageError(
      "--isolation needs the address of one gateway: stator doctor http://HOST:PORT --isolation",
    );
  const client = isolationClient(url.origin, options.timeout * 1000);
  const report = await diagnoseIsolation(client, [one, other]);
  return print(report, options, (found) => reportText(found, isolationSummary));
}

/** Prints findings. @returns the exit code */
async function print<Found extends { readonly isWell: boolean }>(
  found: Found,
  { json }: Pick<DoctorOptions, "json">,
  toText: (found: Found) => string,
): Promise<number> {
  const text = json ? `${JSON.stringify(found, null, 2)}\n` : toText(found);
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
  return found.isWell ? 0 : 1;
}
