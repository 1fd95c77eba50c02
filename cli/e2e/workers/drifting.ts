/**
 * An echo with a prefix cache whose KV events are wrong as set by DRIFT:
 * `events-missing`, `block-size`, `never-matches` or `removals-lost`.
 */
import type { KvEvent } from "#runtime";
import { defineWorker, loadWorker } from "#workers";

const drift = process.env.DRIFT!;
const echo = await loadWorker("echo");
const BLOCK_SIZE = 16;

export default defineWorker({
  name: "drifting",
  async open(context) {
    const engine = await echo.open(context);
    const seen = new Set<string>();
    let publish: (events: KvEvent[]) => void = () => {};
    return {
      ...engine,
      card: { ...engine.card, name: drift },
      kvEvents: {
        subscribe(listener) {
          if (drift !== "events-missing") publish = listener;
        },
        snapshot: () => [],
      },
      async *generate(request, signal) {
        const key = request.tokens.join();
        const isCached = seen.has(key) && drift !== "removals-lost";
        const cachedTokens = isCached ? Math.floor((request.tokens.length - 1) / BLOCK_SIZE) * BLOCK_SIZE : 0;
        if (!seen.has(key)) publish([stored(request.tokens)]);
        seen.add(key);
        for await (const delta of engine.generate(request, signal)) {
          yield delta.cachedTokens === undefined ? delta : { ...delta, cachedTokens };
        }
      },
    };
  },
});

let hashes = 0;

function stored(tokens: Uint32Array): KvEvent {
  const blockSize = drift === "block-size" ? 2 * BLOCK_SIZE : BLOCK_SIZE;
  const blocks = Math.floor(tokens.length / blockSize);
  const tokenIds = tokens.slice(0, blocks * blockSize);
  return {
    type: "stored",
    blockHashes: BigUint64Array.from({ length: blocks }, () => BigInt(++hashes)),
    parentHash: undefined,
    tokenIds: drift === "never-matches" ? tokenIds.map((id) => id + 1) : tokenIds,
    blockSize,
  };
}
