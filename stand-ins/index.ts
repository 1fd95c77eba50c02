/** Stand-ins for engines in tests and benchmarks: their protocols over a model with one token per byte. */
import type { StandInOptions } from "./core/options.ts";
import type { StandIn } from "./core/stand-in.ts";
import { startLlamaCpp } from "./llama-cpp.ts";
import { startSglang } from "./sglang.ts";
import { startTensorrtLlm } from "./tensorrt-llm.ts";
import { startVllm } from "./vllm.ts";

export type { StandInEngine } from "./core/engine.ts";
export type { Faults } from "./core/faults.ts";
export { openAtPort } from "./core/free-port.ts";
export { writeModelFolder } from "./core/model-folder.ts";
export type { KvEventOptions, StandInOptions, StandInWork } from "./core/options.ts";
export type { StandIn } from "./core/stand-in.ts";
export { startLlamaCpp, startSglang, startTensorrtLlm, startVllm };

const KINDS: Readonly<Record<string, (options: StandInOptions) => Promise<StandIn>>> = {
  vllm: startVllm,
  sglang: startSglang,
  "tensorrt-llm": startTensorrtLlm,
  "llama.cpp": startLlamaCpp,
};

/** Starts the stand-in for an engine by name. @throws Error if the name is unknown or a port is taken */
export function startStandInOf(kind: string, options: StandInOptions): Promise<StandIn> {
  const start = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (start === undefined)
    throw new Error(`There is no stand-in '${kind}', only ${Object.keys(KINDS).join(", ")}.`);
  return start(options);
}
