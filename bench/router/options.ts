import { parseArgs } from "node:util";
import { asUsage, integer } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";

export interface RouterBenchOptions {
  /** Path of the trace. */
  trace: string;
  /** Numbers of workers; one row of the table for each. */
  workers: readonly number[];
  /** Runs of every index at every number of workers; medians are shown. */
  repeat: number;
  /** Whether to measure Dynamo's indexes, too. */
  peers: boolean;
  json: boolean;
}

export const HELP = `npm run bench:router -- [OPTIONS]

The router's index beside those of NVIDIA Dynamo (dynamo-kv-router 1.6.1, in Rust), on a production trace: look-ups
while the index grows and when it is full, decisions from token ids, stores, removals, memory. Takes some minutes.

  --trace FILE    requests as JSON lines with hash_ids of 512 tokens each, gzipped or not (Mooncake's conversations)
  --workers LIST  numbers of workers, one row each (8,64,1024)
  --repeat N      runs of every index, interleaved; medians are shown (3)
  --no-peers      measure ours alone
  --json          one JSON object a line for each number of workers, instead of the table
  --help          this text
`;

/**
 * Reads the command line; undefined where it asks for help.
 * @throws UsageError with a sentence for the user
 */
export function readOptions(argv: readonly string[]): RouterBenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  return {
    trace: values.trace,
    workers: values.workers.split(",").map((part) => integer("workers", part, 1, 65_536)),
    repeat: integer("repeat", values.repeat, 1, 100),
    peers: !values["no-peers"],
    json: values.json,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        trace: { type: "string", default: CONVERSATION_TRACE },
        workers: { type: "string", default: "8,64,1024" },
        repeat: { type: "string", default: "3" },
        "no-peers": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
