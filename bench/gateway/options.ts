import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";

export interface BenchOptions {
  /** Streams at once; one row of the table for each. */
  concurrency: readonly number[];
  /** Tokens in an answer. */
  tokens: number;
  /** Answers that each connection asks for in one run. */
  requests: number;
  /** Milliseconds between two tokens of a stream; 0 is as fast as it goes. */
  interval: number;
  /** Runs of every server at every concurrency; the table shows medians. */
  repeat: number;
  /** Whether the worker lives in the gateway's process or in one of its own. */
  plane: "memory" | "unix";
  json: boolean;
}

export const HELP = `npm run bench:gateway -- [OPTIONS]

What the gateway adds to an answer's first token and what a streamed token costs it, beside a bare node:http
server that streams the same bytes. Takes under two minutes.

  --concurrency LIST  streams at once, one row each (1,16,64)
  --tokens N          tokens in an answer (64)
  --requests N        answers that each connection asks for in one run (8)
  --interval MS       between two tokens of a stream; 0 is as fast as it goes (5)
  --repeat N          runs of every server at every concurrency, interleaved; medians are shown (3)
  --plane PLANE       memory: gateway and echo worker in one process; unix: each in its own (memory)
  --json              one JSON object instead of the table
  --help              this text
`;

/**
 * Reads the command line; undefined where it asks for help.
 * @throws UsageError with a sentence for the user
 */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const { plane } = values;
  if (plane !== "memory" && plane !== "unix") throw new UsageError("--plane is memory or unix.");
  return {
    concurrency: values.concurrency.split(",").map((part) => integer("concurrency", part, 1, 1024)),
    // The echo engine's context holds the prompt and 8,000 tokens.
    tokens: integer("tokens", values.tokens, 1, 8000),
    requests: integer("requests", values.requests, 1, 100_000),
    interval: integer("interval", values.interval, 0, 10_000),
    repeat: integer("repeat", values.repeat, 1, 100),
    plane,
    json: values.json,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        concurrency: { type: "string", default: "1,16,64" },
        tokens: { type: "string", default: "64" },
        requests: { type: "string", default: "8" },
        interval: { type: "string", default: "5" },
        repeat: { type: "string", default: "3" },
        plane: { type: "string", default: "memory" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
