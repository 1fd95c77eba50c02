import type { LocalModel } from "../models/index.ts";
import type { UpOptions } from "../options/tables.ts";

/** What `stator up` prints when everything runs: where, how to ask, how to stop. */
export function banner(
  options: UpOptions,
  urls: ReadonlyMap<string, string>,
  model: LocalModel | undefined,
): string {
  const { gateway, ...workers } = Object.fromEntries(urls);
  const name = options["model-name"] ?? model?.name ?? options.engine;
  const messages = [{ role: "user", content: "What is the capital of France?" }];
  const body = JSON.stringify({ model: name, messages, temperature: 0 });
  const workerLines = Object.entries(workers).map(
    ([worker, url]) => `    ${worker}  ${url}/health  ${url}/metrics`,
  );
  return `
  Stator serves ${name} at ${gateway}/v1 with ${options.workers} worker${options.workers === 1 ? "" : "s"}.

  Ask it:
    curl ${gateway}/v1/chat/completions -H 'content-type: application/json' \\
      -d '${body}'

  Look at it:
    API reference  ${gateway}/docs
    readiness      ${gateway}/health
    metrics        ${gateway}/metrics
${workerLines.sort().join("\n")}

  Stop it with Ctrl-C; running answers may finish.

`;
}
