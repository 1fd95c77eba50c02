import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONTENDERS, type ContenderName } from "./contenders.ts";

export interface AttachBenchOptions {
  /** Numbers of concurrent streams; one block of rows for each. */
  concurrency: readonly number[];
  /** Mock engines behind each proxy. */
  engines: number;
  /** Chunks in an answer. */
  chunks: number;
  /** Milliseconds between two chunks of a stream. */
  interval: number;
  /** Whether all streams get their chunks at the same time, as from an engine's steps. */
  steps: boolean;
  /** Interleaved runs of every contender at every concurrency; the report shows medians. */
  rounds: number;
  /** Seconds after which a run sends no more requests. */
  seconds: number;
  /** Maximum requests per connection in a run; 0 for no limit. */
  requests: number;
  contenders: readonly ContenderName[];
  /** The words of a command to use instead of `stator attach`, with {url} and {port}; undefined for attach. */
  ours: readonly string[] | undefined;
  json: boolean;
}

export const HELP = `npm run bench:attach -- [OPTIONS]

Measures the cost of a proxy in front of running engines: CPU per streamed chunk, time to first token, time between
tokens and memory of 'stator attach', vllm-router (PyPI), and a pipe that only copies bytes, with mock engines. Needs
cargo and Python 3. Takes about four minutes; the first run also installs vllm-router (130 MB on disk) and builds.

  --concurrency LIST  numbers of concurrent streams (64,256)
  --engines N         mock engines behind each proxy (2)
  --chunks N          chunks in an answer (128)
  --interval MS       time between two chunks of a stream (5)
  --steps             all streams get their chunks at the same time, as from an engine's steps; default: independently
  --rounds N          interleaved rounds, every second one in reverse order; the report shows medians (3)
  --seconds N         time after which a run sends no more requests (5)
  --requests N        maximum requests per connection in a run; 0 for no limit (0)
  --only LIST         only these of ${CONTENDERS.join(",")}
  --peers             also measure sglang-router
  --ours COMMAND      use this instead of 'stator attach'; {url} becomes the engines' addresses, {port} the port to
                      listen on. Words are split at spaces: --ours "node proxy.js {url} --port {port}"
  --json              print one JSON object instead of the table
  --help              print this text
`;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
 */
export function readOptions(argv: readonly string[]): AttachBenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  return {
    concurrency: values.concurrency.split(",").map((part) => integer("concurrency", part, 1, 4096)),
    engines: integer("engines", values.engines, 1, 64),
    chunks: integer("chunks", values.chunks, 2, 100_000),
    interval: integer("interval", values.interval, 1, 10_000),
    steps: values.steps,
    rounds: integer("rounds", values.rounds, 1, 100),
    seconds: integer("seconds", values.seconds, 1, 3600),
    requests: integer("requests", values.requests, 0, 1_000_000),
    contenders: contenders(values.only, values.peers),
    ours: values.ours === undefined ? undefined : command(values.ours),
    json: values.json,
  };
}

function contenders(only: string | undefined, peers: boolean): ContenderName[] {
  if (only === undefined) return CONTENDERS.filter((name) => peers || name !== "sglang-router");
  const names = only.split(",");
  const unknown = names.find((name) => !CONTENDERS.some((known) => known === name));
  if (unknown !== undefined)
    throw new UsageError(`--only takes a list of ${CONTENDERS.join(", ")}, not '${unknown}'.`);
  return CONTENDERS.filter((name) => names.includes(name));
}

function command(text: string): string[] {
  const words = text.split(" ").filter((word) => word !== "");
  if (words.includes("{url}") && words.some((word) => word.includes("{port}"))) return words;
  throw new UsageError("--ours must contain {url} as a separate word, and {port}.");
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        concurrency: { type: "string", default: "64,256" },
        engines: { type: "string", default: "2" },
        chunks: { type: "string", default: "128" },
        interval: { type: "string", default: "5" },
        steps: { type: "boolean", default: false },
        rounds: { type: "string", default: "3" },
        seconds: { type: "string", default: "5" },
        requests: { type: "string", default: "0" },
        only: { type: "string" },
        peers: { type: "boolean", default: false },
        ours: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
