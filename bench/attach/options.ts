import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONTENDERS, type ContenderName } from "./contenders.ts";

export interface AttachBenchOptions {
  /** Streams at once; one block of rows for each. */
  concurrency: readonly number[];
  /** Mock engines behind each proxy. */
  engines: number;
  /** Chunks in an answer. */
  chunks: number;
  /** Milliseconds between two chunks of a stream. */
  interval: number;
  /** Whether all streams of the engines get their chunks together, as from an engine's steps. */
  steps: boolean;
  /** Runs of every contender at every concurrency, interleaved; medians are shown. */
  rounds: number;
  /** Seconds after which a run asks for no more answers. */
  seconds: number;
  /** Answers that each connection asks for at most in a run; 0 is no bound. */
  requests: number;
  contenders: readonly ContenderName[];
  /** The command of "stator": its words, with {url} for the engines' addresses and {port}. Undefined: attach. */
  ours: readonly string[] | undefined;
  json: boolean;
}

export const HELP = `npm run bench:attach -- [OPTIONS]

What a proxy in front of running engines costs: CPU for a streamed chunk, time to first token, time between tokens
and memory of 'stator attach', vllm-router (PyPI), and a pipe that only moves bytes; the engines are mocks. Needs
cargo and Python 3. Takes about four minutes; the first time it fetches vllm-router (130 MB on disk) and builds.

  --concurrency LIST  streams at once (64,256)
  --engines N         mock engines behind each proxy (2)
  --chunks N          chunks in an answer (128)
  --interval MS       between two chunks of a stream (5)
  --steps             all streams get their chunks together, as from an engine's steps; else each in its own time
  --rounds N          interleaved rounds, every second in turned order; medians are shown (3)
  --seconds N         after which a run asks for no more answers (5)
  --requests N        answers that each connection asks for at most in a run; 0 is no bound (0)
  --only LIST         of ${CONTENDERS.join(",")}
  --peers             sglang-router, too
  --ours COMMAND      in place of 'stator attach'; {url} becomes the engines' addresses, {port} the port to listen
                      on. Words are cut at spaces: --ours "node proxy.js {url} --port {port}"
  --json              one JSON object instead of the table
  --help              this text
`;

/**
 * Reads the command line; undefined where it asks for help.
 * @throws UsageError with a sentence for the user
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
    throw new UsageError(`--only takes names of ${CONTENDERS.join(", ")}, not '${unknown}'.`);
  return CONTENDERS.filter((name) => names.includes(name));
}

function command(text: string): string[] {
  const words = text.split(" ").filter((word) => word !== "");
  if (words.includes("{url}") && words.some((word) => word.includes("{port}"))) return words;
  throw new UsageError("--ours takes a command with {url} as a word and {port}.");
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
