import { parseArgs } from "node:util";
import { asUsage, integer } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";
import { BLOCKS_PER_STEP } from "./workload.ts";

export interface RouterBenchOptions {
  /** Path of the trace, or the name of a generated one. */
  trace: string;
  /** Blocks of 16 tokens to use of each of its ids. */
  blocksPerId: number;
  /** Numbers of workers; one row of the table for each. */
  workers: readonly number[];
  /** Runs of every index at every number of workers; the report shows medians. */
  repeat: number;
  /** Whether to measure Dynamo's indexes too. */
  peers: boolean;
  json: boolean;
  /** What to measure instead of the comparison with the peers. */
  mode: Mode | undefined;
  /** How many blocks `churn` stores and removes. */
  blockEvents: number;
  /** Where `sweep` writes its plot. */
  svg: string | undefined;
}

const MODES = ["sweep", "tokens", "pauses", "churn", "events"] as const;

export type Mode = (typeof MODES)[number];

export const HELP = `npm run bench:router -- [OPTIONS]

Compares the router's index with those of NVIDIA Dynamo (dynamo-kv-router 1.6.1, in Rust) on a production trace:
look-ups while the index grows and when it is full, decisions from token ids, stores, removals, memory. Takes some
minutes.

  --trace FILE    requests as JSON lines with hash_ids of 512 tokens each, gzipped or not (Mooncake's conversations);
                  or forks: long forking conversations, generated from a seed
  --blocks-per-id N  use only the first N of each id's 32 blocks, so that prompts diverge at other places (32)
  --workers LIST  numbers of workers, one row each (8,64,1024)
  --repeat N      interleaved runs of every index; the report shows medians (3)
  --no-peers      measure only ours
  --json          print one JSON object per line for each number of workers, instead of the table

Or one of these for our index only; with --json, they print one JSON object:

  --sweep         look-ups, decisions and stores at 1, 4 and 16 million blocks and 8 to 4,096 workers
  --svg FILE      write a plot of the sweep
  --tokens        complete decisions for prompts of 1,024 to 131,072 tokens at 1,024 workers
  --pauses        the longest call while 10 million blocks are stored
  --churn         whether memory grows while blocks are stored and removed
  --block-events N  how many blocks churn stores and removes (100000000)
  --events        from a ZeroMQ socket to the index, compared with Dynamo's parser for the same bytes

  --help          print this text
`;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
 */
export function readOptions(argv: readonly string[]): RouterBenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  return {
    trace: values.trace,
    blocksPerId: integer("blocks-per-id", values["blocks-per-id"], 1, BLOCKS_PER_STEP),
    workers: values.workers.split(",").map((part) => integer("workers", part, 1, 65_536)),
    repeat: integer("repeat", values.repeat, 1, 100),
    peers: !values["no-peers"],
    json: values.json,
    mode: MODES.find((mode) => values[mode]),
    blockEvents: integer("block-events", values["block-events"], 1, 1e12),
    svg: values.svg,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        trace: { type: "string", default: CONVERSATION_TRACE },
        "blocks-per-id": { type: "string", default: String(BLOCKS_PER_STEP) },
        workers: { type: "string", default: "8,64,1024" },
        repeat: { type: "string", default: "3" },
        "no-peers": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        sweep: { type: "boolean", default: false },
        tokens: { type: "boolean", default: false },
        pauses: { type: "boolean", default: false },
        churn: { type: "boolean", default: false },
        events: { type: "boolean", default: false },
        "block-events": { type: "string", default: "100000000" },
        svg: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
