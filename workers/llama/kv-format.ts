import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { endianness } from "node:os";
import type { Llama, LlamaContext } from "node-llama-cpp";

/** How much of a model's file is hashed: parts at equal distances, the first and the last of them included. */
const PARTS = 64;
const PART_BYTES = 64 * 1024;

/**
 * Names the KV of a model as llama.cpp saves it: two contexts can exchange theirs only if this is equal. The values depend
 * on the model's weights; their layout on llama.cpp's release, the types of the cache, and the kind of attention.
 */
export async function kvFormat(
  { llamaCppRelease: { release } }: Llama,
  { kvCacheKeyType, kvCacheValueType, flashAttention }: LlamaContext,
  modelPath: string,
): Promise<string> {
  const model = await fingerprint(modelPath);
  return `llama.cpp ${release} model=${model} cache=${kvCacheKeyType},${kvCacheValueType} flash=${flashAttention} ${endianness()}`;
}

/**
 * A hash of a model's file from samples of its content: hashing all of a file of many gigabytes would take long at every
 * start, and other weights differ nearly everywhere.
 */
export async function fingerprint(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256").update(`${size}`);
    const last = Math.max(0, size - PART_BYTES);
    for (let part = 0; part < PARTS; part++) {
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc(PART_BYTES),
        position: Math.floor((last * part) / (PARTS - 1)),
      });
      hash.update(buffer.subarray(0, bytesRead));
    }
    return hash.digest("hex").slice(0, 16);
  } finally {
    await file.close();
  }
}
