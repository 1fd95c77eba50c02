import { list, number } from "../spec.ts";

/** The mock engine. */
export const mocker = {
  "block-size": number({ describe: "Tokens per KV block of the mocker. Default: 64.", min: 1, max: 512 }),
  "total-blocks": number({ describe: "KV blocks of the mocker. Default: 16,384.", min: 1, max: 16_777_216 }),
  "max-batched-tokens": number({
    describe: "Tokens per step of the mocker. Default: 8,192.",
    min: 1,
  }),
  "data-parallel-size": number({
    describe: "Data-parallel ranks of the mocker, each with its own blocks and scheduler.",
    default: 1,
    min: 1,
    max: 256,
  }),
  "startup-time": number({
    describe: "Seconds that the mocker takes to start, like an engine that loads a model.",
    default: 0,
    min: 0,
    max: 3600,
    int: false,
  }),
  "kv-bandwidth": number({
    describe: "Speed of KV between mock workers, in GB/s. Default: 50, a link of 400 Gb/s.",
    min: 0.001,
    int: false,
  }),
  "kv-bytes-per-token": number({
    describe:
      "Size of a token's KV in the mocker. Default: 131,072, an 8-billion-parameter model's in 16 bits.",
    min: 0,
  }),
  fault: list({
    describe:
      "Fault to inject into the mocker: hang, crash, error, slow, wrong-events or kv, with parameters as in docs/workers.md.",
    placeholder: "KIND[:NAME=VALUE]…",
  }),
  "fault-seed": number({
    describe: "Seed of the faults; the same seed hits the same requests.",
    default: 1,
    min: 0,
    max: 2 ** 31,
  }),
  speedup: number({
    describe: "How many times as fast as an H100 the mocker is; 0 takes no time.",
    default: 1,
    min: 0,
    int: false,
  }),
};
