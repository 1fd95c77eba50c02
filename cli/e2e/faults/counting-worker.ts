/**
 * A worker that counts: `0000 0001 0002 …`, one byte per token, so that lost, duplicated or reordered tokens are
 * detected. Prompts end with a colon and the part already counted. COUNTING_DELAY: milliseconds between tokens. With
 * COUNTING_LIES, it publishes KV events of prompts that it never received and blocks that it never had.
 *
 * Its KV is the prompt itself: whoever gets another prompt's KV counts on from there, and wrongly. COUNTING_FORMAT: the
 * format of that KV. With COUNTING_KV_FAULTS, four of five exports cannot be used, each for another reason.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineWorker, type KvEventSource, type KvImport, KvUnusableError } from "#workers";
import { bytePieces, tokenCard, tokenizeBytes } from "../../../workers/byte-tokens.ts";

const COLON = ":".charCodeAt(0);
const delayMs = Number(process.env.COUNTING_DELAY ?? 10);
const kvFormat = process.env.COUNTING_FORMAT ?? "counting";
const utf8 = new TextEncoder();

export default defineWorker({
  name: "counting",
  open() {
    let running = 0;
    /** @param prompt of which the KV is, as far as it has been computed; @param length of the request's */
    async function* count(prompt: Uint32Array, length: number, maxTokens: number, signal: AbortSignal) {
      running++;
      try {
        const counted = countedIn(prompt, length);
        for (let index = 0; index < maxTokens; index++) {
          await sleep(delayMs);
          if (signal.aborted) return;
          const isLast = index === maxTokens - 1;
          yield { tokenIds: [byteAt(counted + index)], ...(isLast && { finish: "length" as const }) };
        }
      } finally {
        running--;
      }
    }
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
        kvFormat,
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
      generate: ({ tokens, maxTokens }, signal) => count(tokens, tokens.length, maxTokens, signal),
      async exportKv({ tokens, maxTokens }, signal) {
        running++;
        try {
          await sleep(delayMs);
          signal.throwIfAborted();
        } finally {
          running--;
        }
        const delta = { tokenIds: [byteAt(countedIn(tokens, tokens.length))], cachedTokens: 0 };
        if (maxTokens === 1) return { delta: { ...delta, finish: "length" as const } };
        const fault = nextFault();
        if (fault === "refused") throw new Error("No KV today.");
        const kv = new Uint8Array(tokens.slice(fault === "wrong size" ? 1 : 0).buffer);
        const write = async (memory: Uint8Array) => {
          if (fault === "unwritten") throw new Error("The KV is gone.");
          memory.set(kv);
        };
        return { delta, kv: { tokens: tokens.length, bytes: kv.length, write, release: () => {} } };
      },
      async *importKv({ tokens, maxTokens }, kv, signal) {
        const memory = await kv.read();
        if (memory.length !== 4 * kv.tokens) throw new KvUnusableError("failed", "The KV has a wrong size.");
        if (nextFault() === "stalled") await timedOut(kv);
        // A copy, because `slice` of a Buffer would not be one.
        const computed = new Uint32Array(new Uint8Array(memory).buffer);
        yield { tokenIds: [], cachedTokens: 0 };
        yield* count(computed, tokens.length, maxTokens, signal);
      },
    };
  },
});

/** How far a prompt of this length has counted, according to the beginning that has been computed. */
const countedIn = (prompt: Uint32Array, length: number): number => length - prompt.indexOf(COLON) - 1;

const KV_FAULTS = ["none", "refused", "wrong size", "unwritten", "stalled"] as const;
let handovers = 0;

/** Every worker takes its turns alone, so that decode workers stall transfers that prefill workers did not spoil. */
function nextFault(): (typeof KV_FAULTS)[number] {
  if (process.env.COUNTING_KV_FAULTS === undefined) return "none";
  return KV_FAULTS[handovers++ % KV_FAULTS.length]!;
}

async function timedOut({ signal }: KvImport): Promise<never> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  throw signal.reason;
}

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
