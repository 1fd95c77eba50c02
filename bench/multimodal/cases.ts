import { H100_8B } from "#workers";
import type { WorkerShape } from "../trace/simulated-worker.ts";
import type { MultimodalOptions } from "./options.ts";
import { type EncodeTiming, encodeMs, encodeTimingOf } from "./simulation/encode-timing.ts";
import type { Routing } from "./simulation/gateway.ts";
import { pictureOf } from "./simulation/requests.ts";
import type { Workload } from "./simulation/workload.ts";

/** One simulation. */
export interface Case {
  readonly part: "routing" | "encoders";
  /** What it is compared with: cases with the same title and place. */
  readonly title: string;
  /** The place on the plot's axis. */
  readonly place: string;
  readonly name: string;
  readonly workload: Workload;
  readonly routing: Routing;
  readonly encoders: number;
  readonly encode: EncodeTiming;
  readonly shape: WorkerShape;
}

/** Half of the requests of the encoders' cases have no picture, as their answers are what encoding disturbs. */
const LENGTHS = { systemTokens: 100, questionTokens: 60, textTokens: 500, answerTokens: 150 };

/** A tenth of an H100's KV memory, so that caches of long simulations are full in short ones: 130,000 tokens. */
const SMALL: WorkerShape = { blockSize: 16, totalBlocks: 8192, maxSequences: 256, maxBatchedTokens: 8192 };
const LARGE: WorkerShape = { blockSize: 64, totalBlocks: 16_384, maxSequences: 256, maxBatchedTokens: 8192 };

/** Every way of routing at every exponent of Zipf's law. */
export function routingCases({ zipf, conversations, visionParameters }: MultimodalOptions): Case[] {
  const ways = ["media-aware", "text-only", "round-robin"] as const;
  return zipf.flatMap((exponent) =>
    ways.map((routing) => ({
      part: "routing" as const,
      title: "Routing",
      place: String(exponent),
      name: routing,
      workload: {
        ...LENGTHS,
        conversations,
        perSecond: 15,
        pictures: 1000,
        zipf: exponent,
        megapixels: [0.25, 1, 2],
        meanTurns: 3,
        thinkSeconds: 15,
        textRequests: 0,
        seed: 1,
      },
      routing,
      encoders: 0,
      encode: encodeTimingOf(visionParameters[0]!),
      shape: SMALL,
    })),
  );
}

/** Every number of encode GPUs, 0 too, at every load, for each encoder and size of pictures, which never repeat. */
export function encoderCases(options: MultimodalOptions): Case[] {
  const { visionParameters, megapixels, loads, conversations } = options;
  return visionParameters.flatMap((billions) =>
    megapixels.flatMap((size) =>
      loads.flatMap((load) => {
        const encode = encodeTimingOf(billions);
        return [0, ...options.encoders].map((encoders) => ({
          part: "encoders" as const,
          title: `${billions} B encoder, pictures of ${size} megapixels`,
          place: `${load} %`,
          name: encoders === 0 ? "aggregated" : `${encoders} E : ${options.gpus - encoders} PD`,
          workload: {
            ...LENGTHS,
            conversations,
            perSecond: picturesPerSecond(options.gpus, load, size, encode),
            pictures: 1_000_000,
            zipf: 0,
            megapixels: [size],
            meanTurns: 1,
            thinkSeconds: 1,
            textRequests: 1,
            seed: 1,
          },
          routing: "media-aware" as const,
          encoders,
          encode,
          shape: LARGE,
        }));
      }),
    ),
  );
}

/** How many pictures a second take this share of all GPUs' time, with their prompts and as many without a picture. */
export function picturesPerSecond(
  gpus: number,
  load: number,
  megapixels: number,
  encode: EncodeTiming,
): number {
  const { systemTokens, questionTokens, textTokens } = LENGTHS;
  const tokens = pictureOf("", megapixels).tokens + systemTokens + questionTokens + systemTokens + textTokens;
  const milliseconds = encodeMs(encode, megapixels) + tokens * H100_8B.prefillTokenMs;
  return ((load / 100) * gpus * 1000) / milliseconds;
}
