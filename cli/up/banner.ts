import type { Logger } from "#runtime";
import { keyFlag } from "../key-flag.ts";
import type { UpOptions } from "../options/tables.ts";
import type { ClusterServers } from "./cluster.ts";
import { joinCommand } from "./join-command.ts";
import type { PlannedWorker } from "./planned-workers.ts";
import { isGateway } from "./serving.ts";

/**
 * Announces that everything runs, with addresses and an example; logs it as one line if the log is JSON.
 * @param planned the workers that run
 * @param urls the addresses of the gateway and of each worker's `/health`, by name
 */
export function announce(
  options: UpOptions,
  model: string,
  planned: readonly PlannedWorker[],
  urls: ReadonlyMap<string, string>,
  servers: Pick<ClusterServers, "discovery" | "nats"> | undefined,
  log: Logger,
): void {
  const gateways = [...urls].filter(([name]) => isGateway(name)).map(([, url]) => url);
  const [gateway] = gateways.sort();
  const workers = Object.fromEntries([...urls].filter(([name]) => !isGateway(name)));
  const serving = `Stator serves ${model} at ${gateway}/v1 with ${countsOf(planned)}.`;
  if (options["log-format"] === "json")
    log.info(serving, { model, url: gateway, gateways, workers, ...places(servers) });
  else process.stdout.write(banner(options, serving, model, gateways, workers, servers));
}

/** How many workers there are, those apart that answer no requests: `2 workers, 1 encode worker and 1 OCR worker`. */
export function countsOf(planned: readonly PlannedWorker[]): string {
  const encoders = planned.filter(({ role }) => role === "encode");
  const readers = encoders.filter(({ engine }) => engine === "ocr");
  const counts = [
    [planned.length - encoders.length, "worker"],
    [encoders.length - readers.length, "encode worker"],
    [readers.length, "OCR worker"],
  ] as const;
  const texts = counts.flatMap(([count, name]) =>
    count === 0 ? [] : [`${count} ${name}${count === 1 ? "" : "s"}`],
  );
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

const places = (servers: Pick<ClusterServers, "discovery" | "nats"> | undefined) =>
  servers === undefined ? {} : { discovery: servers.discovery, nats: servers.nats };

function banner(
  options: UpOptions,
  serving: string,
  model: string,
  [gateway, ...others]: readonly string[],
  workers: Record<string, string>,
  servers: Pick<ClusterServers, "discovery" | "nats"> | undefined,
): string {
  const example = exampleOf(options, model, keyFlag(options.keys !== undefined));
  const workerLines = Object.entries(workers).map(
    ([worker, url]) => `    ${worker}  ${url}/health  ${url}/metrics`,
  );
  const cluster =
    servers === undefined
      ? ""
      : `
  A cluster:
    other gateway  ${others.join(" ")}/v1
    discovery      ${servers.discovery}
    NATS           ${servers.nats}
    join it        ${joinCommand(options, servers)}
`;
  return `
  ${serving}

  Try it:
    curl ${gateway}/v1${example}

  Inspect it:
    API reference  ${gateway}/docs
    readiness      ${gateway}/health
    metrics        ${gateway}/metrics
${workerLines.sort().join("\n")}
${cluster}
  Stop it with Ctrl-C; running answers will finish.

`;
}

/** A request for `curl`, after the API's address. @param key the flag with a key, if one is needed */
function exampleOf({ engine }: UpOptions, model: string, key: string): string {
  if (engine === "moonshine") return `/audio/transcriptions${key} -F model=${model} -F file=@speech.wav`;
  const messages = [{ role: "user", content: "What is the capital of France?" }];
  const body = JSON.stringify({ model, messages, temperature: 0 });
  return `/chat/completions${key} -H 'content-type: application/json' \\\n      -d '${body}'`;
}
