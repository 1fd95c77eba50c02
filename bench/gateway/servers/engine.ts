import { setTimeout as sleep } from "node:timers/promises";
import { type Engine, loadWorker } from "#workers";
import { log } from "./echo-worker.ts";
import { answerParent } from "./parent-link.ts";

export interface EngineRun {
  concurrency: number;
  requests: number;
  tokens: number;
  spreadMs: number;
  prompt: string;
}

let engine: Engine;

/** The echo engine without a request plane or a gateway, to measure its own share of CPU. */
answerParent({
  async start({ delayMs }: { delayMs: number }): Promise<void> {
    const definition = await loadWorker("echo");
    engine = await definition.open({ log, threads: 1, options: { delayMs } });
  },

  async run({ concurrency, requests, tokens, spreadMs, prompt }: EngineRun): Promise<void> {
    const ids = await engine.tokenize!(prompt);
    await Promise.all(
      Array.from({ length: concurrency }, async (_, index) => {
        if (spreadMs > 0) await sleep((spreadMs * index) / concurrency);
        for (let request = 0; request < requests; request++) await answer(ids, tokens);
      }),
    );
  },
});

async function answer(tokens: Uint32Array, maxTokens: number): Promise<void> {
  const request = {
    requestId: "bench",
    model: engine.card.name,
    tokens,
    maxTokens,
    sampling: {
      temperature: 1,
      topP: 1,
      topK: 0,
      minP: 0,
      frequencyPenalty: 0,
      presencePenalty: 0,
      repetitionPenalty: 1,
      logitBias: [],
    },
    ignoreEos: false,
    stopTokenIds: [],
  };
  let count = 0;
  for await (const delta of engine.generate(request, new AbortController().signal))
    count += delta.tokenIds.length;
  if (count !== maxTokens) throw new Error(`The engine returned ${count} of ${maxTokens} tokens.`);
}
