import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";

export interface MultimodalOptions {
  readonly only: "cost" | "routing" | "encoders" | "all";
  /** Sizes of the files whose cost is measured, in bytes. */
  readonly files: readonly number[];
  readonly rounds: number;
  readonly gpus: number;
  readonly conversations: number;
  readonly zipf: readonly number[];
  /** Billions of parameters of vision encoders. */
  readonly visionParameters: readonly number[];
  readonly megapixels: readonly number[];
  /** Percentages. */
  readonly loads: readonly number[];
  /** How many of the GPUs only encode. */
  readonly encoders: readonly number[];
  /** Of embeddings, in GB/s. */
  readonly bandwidth: number;
  readonly ttftSlaMs: number;
  readonly itlSlaMs: number;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

const PARTS = ["cost", "routing", "encoders", "all"] as const;

export const HELP = `npm run bench:multimodal -- [OPTIONS]

Three measurements of requests with pictures:
  cost      what a picture costs the gateway: its own code, against memcpy, JSON.parse and Node's SHA-256
  routing   hit rates with pictures in the block hashes, with text alone, and by round robin, in virtual time
  encoders  GPUs that only encode pictures against the same number of GPUs that do everything, in virtual time
Takes one to three minutes; progress goes to stderr.

  --only WHAT               cost, routing, encoders or all (all)
  --files LIST              sizes of pictures' files in kB (10,100,1000,5000,20000)
  --rounds N                of the cost (15)
  --gpus N                  in each simulation (8)
  --conversations N         in each simulation (500)
  --zipf LIST               how unequally pictures are repeated, by Zipf's exponent (0.5,1,1.5)
  --vision-parameters LIST  of vision encoders, in billions (0.675,5.9: Qwen2-VL's and InternViT-6B)
  --megapixels LIST         sizes of pictures (0.25,1,4)
  --loads LIST              share of all GPUs' time that pictures and prompts need, in % (20,50,80)
  --encoders LIST           how many of the GPUs only encode (1,2,4)
  --bandwidth N             of embeddings to the engines, in GB/s (50: 400 Gb/s)
  --ttft-sla MS             maximum time to first token of a good request (1000)
  --itl-sla MS              maximum average time between its tokens (25)
  --json FILE               write the figures
  --svg FILE                write a plot of the simulations
  --help                    print this text
`;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
 */
export function readOptions(argv: readonly string[]): MultimodalOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const only = PARTS.find((part) => part === values.only);
  if (only === undefined)
    throw new UsageError(`--only must be one of ${PARTS.join(", ")}, not '${values.only}'.`);
  const gpus = integer("gpus", values.gpus, 2, 256);
  return {
    only,
    files: numbers("files", values.files, 1, 100_000).map((kilobytes) => Math.round(kilobytes * 1000)),
    rounds: integer("rounds", values.rounds, 1, 1000),
    gpus,
    conversations: integer("conversations", values.conversations, 1, 100_000),
    zipf: numbers("zipf", values.zipf, 0, 5),
    visionParameters: numbers("vision-parameters", values["vision-parameters"], 0.001, 1000),
    megapixels: numbers("megapixels", values.megapixels, 0.01, 20),
    loads: numbers("loads", values.loads, 1, 1000),
    encoders: values.encoders.split(",").map((text) => integer("encoders", text, 1, gpus - 1)),
    bandwidth: integer("bandwidth", values.bandwidth, 1, 10_000),
    ttftSlaMs: integer("ttft-sla", values["ttft-sla"], 1, 1_000_000),
    itlSlaMs: integer("itl-sla", values["itl-sla"], 1, 1_000_000),
    json: values.json,
    svg: values.svg,
  };
}

/** @throws UsageError if one of the numbers is not from `least` to `most` */
function numbers(name: string, list: string, least: number, most: number): number[] {
  return list.split(",").map((text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw new UsageError(`--${name} must be numbers from ${least} to ${most}, not '${text}'.`);
  });
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        only: { type: "string", default: "all" },
        files: { type: "string", default: "10,100,1000,5000,20000" },
        rounds: { type: "string", default: "15" },
        gpus: { type: "string", default: "8" },
        conversations: { type: "string", default: "500" },
        zipf: { type: "string", default: "0.5,1,1.5" },
        "vision-parameters": { type: "string", default: "0.675,5.9" },
        megapixels: { type: "string", default: "0.25,1,4" },
        loads: { type: "string", default: "20,50,80" },
        encoders: { type: "string", default: "1,2,4" },
        bandwidth: { type: "string", default: "50" },
        "ttft-sla": { type: "string", default: "1000" },
        "itl-sla": { type: "string", default: "25" },
        json: { type: "string" },
        svg: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}
