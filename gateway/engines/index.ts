import { llamaCpp } from "./llama-cpp.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { tensorrtLlm } from "./tensorrt-llm.ts";
import type { EngineAdapter, EngineApi, EngineKind, EngineProfile } from "./types.ts";
import { vllm } from "./vllm.ts";

export { createEngineApi, type EngineApiOptions } from "./api.ts";
export { EngineApiError, type EngineApiErrorCode } from "./errors.ts";
export { hasPath, optional } from "./read.ts";
export type * from "./types.ts";

/** In the order in which they are tried; the last accepts any server that lists its models. */
const ADAPTERS: readonly EngineAdapter[] = [vllm, sglang, tensorrtLlm, llamaCpp, openai];

/** The adapter for a kind of engine. */
export function adapterOf(kind: EngineKind): EngineAdapter {
  return ADAPTERS.find((adapter) => adapter.kind === kind) ?? openai;
}

export interface EngineProbe {
  readonly adapter: EngineAdapter;
  readonly profile: EngineProfile;
}

/**
 * Finds out which kind of engine serves an address.
 * @throws EngineApiError if it cannot be reached, or does not speak OpenAI's API
 */
export async function probeEngine(api: EngineApi): Promise<EngineProbe> {
  const reads = cacheReads(api);
  for (const adapter of ADAPTERS) {
    const profile = await adapter.probe(reads);
    if (profile !== undefined) return { adapter, profile };
  }
  throw new Error("The last adapter must accept every server or throw.");
}

/** Requests each path only once, because the adapters start with the same requests. */
function cacheReads(api: EngineApi): EngineApi {
  const json = new Map<string, Promise<unknown>>();
  const text = new Map<string, Promise<string | undefined>>();
  return {
    ...api,
    getJson: (path) => once(json, path, api.getJson),
    getText: (path) => once(text, path, api.getText),
  };
}

function once<Value>(
  answers: Map<string, Promise<Value>>,
  path: string,
  get: (path: string) => Promise<Value>,
): Promise<Value> {
  const answer = answers.get(path) ?? get(path);
  answers.set(path, answer);
  return answer;
}
