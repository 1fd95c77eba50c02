import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";

export interface BenchOptions {
  /** Numbers of concurrent streams; one row of the table for each. */
  concurrency: readonly number[];
  /** Tokens in an answer. */
  tokens: number;
  /** Requests per connection in one run. */
  requests: number;
  /** Milliseconds between two tokens of a stream; 0 for maximum speed. */
  interval: number;
  /** Runs of every server at every concurrency; the table shows medians. */
  repeat: number;
  /** Whether the worker is in the gateway's process or in its own. */
  plane: "memory" | "unix";
  json: boolean;
}

export const HELP = `npm run bench:gateway -- [OPTIONS]

Measures how much the gateway adds to the time to first token, and its CPU cost per streamed token, compared with a
bare node:http server that streams the same bytes. Takes under two minutes.

  --concurrency LIST  numbers of concurrent streams, one row each (1,16,64)
  --tokens N          tokens in an answer (64)
  --requests N        requests per connection in one run (8)
  --interval MS       time between two tokens of a stream; 0 for maximum speed (5)
  --repeat N          interleaved runs of every server at every concurrency; the report shows medians (3)
  --plane PLANE       memory: gateway and echo worker in one process; unix: each in its own (memory)
  --json              print one JSON object instead of the table
  --help              print this text
`;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
 */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const { plane } = values;
  if (plane !== "memory" && plane !== "unix") throw new UsageError("--plane must be memory or unix.");
  return {
    concurrency: values.concurrency.split(",").map((part) => integer("concurrency", part, 1, 1024)),
    // The echo engine's context has room for the prompt and 8,000 tokens.
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
