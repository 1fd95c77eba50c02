import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";

export interface DisaggOptions {
  readonly trace: string;
  readonly workers: number;
  /** Concurrent copies of the trace. */
  readonly loads: readonly number[];
  /** Where thresholds, blocks and batches are varied. */
  readonly tuned: { readonly prefill: number; readonly copies: number };
  readonly minutes: number;
  /** Of a transfer, in GB/s. */
  readonly bandwidth: number;
  readonly ttftSlaMs: number;
  readonly itlSlaMs: number;
  /** Which tables to make. */
  readonly only: "ratios" | "thresholds" | "shapes" | "all";
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

export const HELP = `npm run bench:disagg -- [OPTIONS]

Replays a production trace in virtual time through the real router core against mock workers of an H100's speed (8 billion
parameters): aggregated, and divided into prefill and decode workers at several ratios and loads; then the thresholds, block
and batch sizes. Takes some minutes; progress goes to stderr. docs/tuning.md explains the tables.

  --workers N               workers of all roles (8)
  --loads LIST              concurrent copies of the trace (1,2,3)
  --prefill N               prefill workers where the rest is varied (half of the workers)
  --load N                  copies of the trace there (2)
  --minutes N               only the trace's first minutes (15)
  --bandwidth N             of a KV transfer, in GB/s (50: 400 Gb/s)
  --ttft-sla MS             maximum time to first token of a good request (2000)
  --itl-sla MS              maximum average time between its tokens (25)
  --only WHAT               ratios, thresholds, shapes or all (all)
  --trace FILE              trace in Mooncake's format (the conversation trace)
  --json FILE               write the figures
  --svg FILE                write a plot
  --help                    print this text
`;

const TABLES = ["ratios", "thresholds", "shapes", "all"] as const;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
 */
export function readOptions(argv: readonly string[]): DisaggOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const workers = integer("workers", values.workers, 2, 256);
  const only = TABLES.find((each) => each === values.only);
  if (only === undefined)
    throw new UsageError(`--only must be one of ${TABLES.join(", ")}, not '${values.only}'.`);
  return {
    trace: values.trace,
    workers,
    loads: values.loads.split(",").map((text) => integer("loads", text, 1, 64)),
    tuned: {
      prefill:
        values.prefill === undefined ? workers >> 1 : integer("prefill", values.prefill, 1, workers - 1),
      copies: integer("load", values.load, 1, 64),
    },
    minutes: integer("minutes", values.minutes, 1, 60),
    bandwidth: integer("bandwidth", values.bandwidth, 1, 10_000),
    ttftSlaMs: integer("ttft-sla", values["ttft-sla"], 1, 1_000_000),
    itlSlaMs: integer("itl-sla", values["itl-sla"], 1, 1_000_000),
    only,
    json: values.json,
    svg: values.svg,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        trace: { type: "string", default: CONVERSATION_TRACE },
        workers: { type: "string", default: "8" },
        loads: { type: "string", default: "1,2,3" },
        prefill: { type: "string" },
        load: { type: "string", default: "2" },
        minutes: { type: "string", default: "15" },
        bandwidth: { type: "string", default: "50" },
        "ttft-sla": { type: "string", default: "2000" },
        "itl-sla": { type: "string", default: "25" },
        only: { type: "string", default: "all" },
        json: { type: "string" },
        svg: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
