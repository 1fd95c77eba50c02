/**
 * Runs a stand-in as a process; prints one line of JSON with its address and ports when it is ready.
 *
 *     node stand-ins/main.ts vllm --port 0 --model tiny --kv-port 0 --replay-port 0
 *     node stand-ins/main.ts vllm --role encode --encoder-folder DIRECTORY --log-work
 *     node stand-ins/main.ts model-folder DIRECTORY
 */
import { parseArgs } from "node:util";
import { type StandIn, type StandInOptions, startStandInOf, writeModelFolder } from "./index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string" },
    host: { type: "string" },
    model: { type: "string" },
    alias: { type: "string", multiple: true },
    adapter: { type: "string", multiple: true },
    source: { type: "string" },
    "api-key": { type: "string" },
    context: { type: "string" },
    "block-size": { type: "string" },
    blocks: { type: "string" },
    "max-sequences": { type: "string" },
    ranks: { type: "string" },
    "no-prefix-caching": { type: "boolean" },
    "inter-token-ms": { type: "string" },
    "prefill-rate": { type: "string" },
    "no-cached-tokens": { type: "boolean" },
    "no-metrics": { type: "boolean" },
    "kv-port": { type: "string" },
    "replay-port": { type: "string" },
    "kv-topic": { type: "string" },
    role: { type: "string" },
    "kv-lease-ms": { type: "string" },
    media: { type: "boolean" },
    "no-encoded": { type: "boolean" },
    "language-only": { type: "boolean" },
    "encoder-folder": { type: "string" },
    "log-work": { type: "boolean" },
    "start-ms": { type: "string" },
  },
});

const ROLES = ["prefill", "decode", "encode"] as const;

const [kind = "", folder] = positionals;
if (kind === "model-folder" && folder !== undefined) {
  await writeModelFolder(folder);
} else {
  const standIn = await startStandInOf(kind, optionsOf());
  const { url, port, kvEvents } = standIn;
  console.log(JSON.stringify({ engine: kind, pid: process.pid, url, port, kvEvents }));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void stop(standIn));
}

async function stop(standIn: StandIn): Promise<void> {
  await standIn.close();
  process.exit(0);
}

function optionsOf(): StandInOptions {
  const kvPort = number("kv-port", values["kv-port"]);
  return {
    port: number("port", values.port),
    host: values.host,
    model: values.model,
    aliases: values.alias,
    adapters: values.adapter,
    source: values.source,
    apiKey: values["api-key"],
    contextLength: number("context", values.context),
    blockSize: number("block-size", values["block-size"]),
    totalBlocks: number("blocks", values.blocks),
    maxSequences: number("max-sequences", values["max-sequences"]),
    ranks: number("ranks", values.ranks),
    prefixCaching: !values["no-prefix-caching"],
    interTokenMs: number("inter-token-ms", values["inter-token-ms"]),
    prefillTokensPerSecond: number("prefill-rate", values["prefill-rate"]),
    reportsCachedTokens: !values["no-cached-tokens"],
    hasMetrics: !values["no-metrics"],
    kvEvents:
      kvPort === undefined
        ? undefined
        : {
            port: kvPort,
            replayPort: number("replay-port", values["replay-port"]),
            topic: values["kv-topic"],
          },
    role: ROLES.find((role) => role === values.role),
    takesMedia: values.media,
    takesEncoded: !values["no-encoded"],
    languageOnly: values["language-only"],
    encoderFolder: values["encoder-folder"],
    onWork: values["log-work"] ? (work) => console.log(JSON.stringify(work)) : undefined,
    kvLeaseMs: number("kv-lease-ms", values["kv-lease-ms"]),
    startMs: number("start-ms", values["start-ms"]),
  };
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value >= 0) return value;
  console.error(`--${name} must be a number, not '${text}'.`);
  process.exit(2);
}
