/**
 * A worker whose answers are known: `0000 0001 0002 …`, a byte per token, from where the prompt stops. So a lost, doubled
 * or reordered token shows. Prompts end with a colon. COUNTING_DELAY: milliseconds between two tokens.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineWorker } from "#workers";
import { bytePieces, tokenCard, tokenizeBytes } from "../../../workers/byte-tokens.ts";

const COLON = ":".charCodeAt(0);
const delayMs = Number(process.env.COUNTING_DELAY ?? 10);
const utf8 = new TextEncoder();

export default defineWorker({
  name: "counting",
  open() {
    let running = 0;
    return {
      card: {
        name: "counting",
        aliases: [],
        apis: ["completions"],
        role: "aggregated",
        contextLength: 65_536,
        blockSize: 16,
        totalBlocks: 65_536,
        maxBatchedTokens: 8_192,
        maxSequences: 256,
        dataParallelSize: 1,
        ...tokenCard(undefined),
        features: { logprobs: false, logitBias: false, embeddings: false },
        engine: { name: "counting", version: "1" },
        created: 0,
      },
      tokenize: tokenizeBytes,
      vocabulary: () => bytePieces,
      stats: () => ({ running, waiting: 0, kvUsage: 0 }),
      close: async () => {},
      async *generate({ tokens, maxTokens }, signal) {
        running++;
        try {
          const told = tokens.length - tokens.indexOf(COLON) - 1;
          for (let index = 0; index < maxTokens; index++) {
            await sleep(delayMs);
            if (signal.aborted) return;
            const isLast = index === maxTokens - 1;
            yield { tokenIds: [byteAt(told + index)], ...(isLast && { finish: "length" as const }) };
          }
        } finally {
          running--;
        }
      },
    };
  },
});

const byteAt = (position: number): number =>
  utf8.encode(`${String(Math.floor(position / 5)).padStart(4, "0")} `)[position % 5]!;
