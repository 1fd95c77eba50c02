import { z } from "zod";
import type { Logger } from "#runtime";
import type { UpOptions } from "../options/tables.ts";

/**
 * Announces that everything runs, with addresses and an example; logs it as one line if the log is JSON.
 * @param urls the addresses of the gateway and of each worker's `/health`, by name
 */
export async function announce(
  options: UpOptions,
  urls: ReadonlyMap<string, string>,
  log: Logger,
): Promise<void> {
  const { gateway, ...workers } = Object.fromEntries(urls);
  const model = await servedModel(Object.values(workers)[0]!);
  const serving = `Stator serves ${model} at ${gateway}/v1 with ${options.workers} worker${options.workers === 1 ? "" : "s"}.`;
  if (options["log-format"] === "json") log.info(serving, { model, url: gateway, workers });
  else process.stdout.write(banner(serving, model, gateway!, workers));
}

/** The worker's own name for its model: a custom engine may ignore --model-name. */
async function servedModel(url: string): Promise<string> {
  const response = await fetch(`${url}/health`);
  return healthSchema.parse(await response.json()).model;
}

const healthSchema = z.object({ model: z.string() });

function banner(serving: string, model: string, gateway: string, workers: Record<string, string>): string {
  const messages = [{ role: "user", content: "What is the capital of France?" }];
  const body = JSON.stringify({ model, messages, temperature: 0 });
  const workerLines = Object.entries(workers).map(
    ([worker, url]) => `    ${worker}  ${url}/health  ${url}/metrics`,
  );
  return `
  ${serving}

  Try it:
    curl ${gateway}/v1/chat/completions -H 'content-type: application/json' \\
      -d '${body}'

  Inspect it:
    API reference  ${gateway}/docs
    readiness      ${gateway}/health
    metrics        ${gateway}/metrics
${workerLines.sort().join("\n")}

  Stop it with Ctrl-C; running answers will finish.

`;
}
