/**
 * A worker that counts: `0000 0001 0002 …`, one byte per token, so that lost, duplicated or reordered tokens are
 * detected. Prompts end with a colon and the part already counted. COUNTING_DELAY: milliseconds between tokens. With
 * COUNTING_LIES, it publishes KV events of prompts that it never received and blocks that it never had.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineWorker, type KvEventSource } from "#workers";
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
      ...(process.env.COUNTING_LIES !== undefined && { kvEvents: lies }),
      async *generate({ tokens, maxTokens }, signal) {
        running++;
        try {
          const counted = tokens.length - tokens.indexOf(COLON) - 1;
          for (let index = 0; index < maxTokens; index++) {
            await sleep(delayMs);
            if (signal.aborted) return;
            const isLast = index === maxTokens - 1;
            yield { tokenIds: [byteAt(counted + index)], ...(isLast && { finish: "length" as const }) };
          }
        } finally {
          running--;
        }
      },
    };
  },
});

const BLOCK_SIZE = 16;
const LIE_MS = 50;
let lieCount = 0n;

const lies: KvEventSource = {
  subscribe(listener) {
    const timer = setInterval(() => {
      const number = lieCount++;
      listener([
        {
          type: "stored",
          blockHashes: BigUint64Array.of(number),
          parentHash: undefined,
          tokenIds: tokenizeBytes(`stream ${number % 1_000n}:0000 0001 0002`).subarray(0, BLOCK_SIZE),
          blockSize: BLOCK_SIZE,
        },
        { type: "removed", blockHashes: BigUint64Array.of(2n ** 63n + number) },
      ]);
    }, LIE_MS);
    timer.unref();
  },
  snapshot: () => [],
};

const byteAt = (position: number): number =>
  utf8.encode(`${String(Math.floor(position / 5)).padStart(4, "0")} `)[position % 5]!;
