import type { Logger } from "#runtime";
import type { UpOptions } from "../options/tables.ts";

/**
 * Announces that everything runs, with addresses and an example; logs it as one line if the log is JSON.
 * @param urls the addresses of the gateway and of each worker's `/health`, by name
 */
export function announce(
  options: UpOptions,
  model: string,
  urls: ReadonlyMap<string, string>,
  log: Logger,
): void {
  const { gateway, ...workers } = Object.fromEntries(urls);
  const serving = `Stator serves ${model} at ${gateway}/v1 with ${options.workers} worker${options.workers === 1 ? "" : "s"}.`;
  if (options["log-format"] === "json") log.info(serving, { model, url: gateway, workers });
  else process.stdout.write(banner(serving, model, gateway!, workers));
}

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
