import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeKvEvents } from "#runtime";
import type { ModelRouter } from "./model-router.ts";
import type { PlacedMedia, Prompt } from "./prompt.ts";
import { BLOCK_SIZE, request, routed, testModel } from "./test-model.ts";

/** KV events that a real vLLM published for a prompt with a picture. */
const payloads = readFileSync(
  new URL("../../runtime/kv-events/fixture-vllm-multimodal.jsonl", import.meta.url),
  "utf8",
)
  .trim()
  .split("\n")
  .map((line) => Uint8Array.from(Buffer.from(JSON.parse(line).payload_hex, "hex")));

const stored = payloads.flatMap((payload) =>
  decodeKvEvents(payload).events.flatMap((event) => (event.type === "stored" ? [event] : [])),
);
const { blockSize } = stored[0]!;
const tokens = Uint32Array.from(stored.flatMap(({ tokenIds }) => [...tokenIds]));
const identity = stored[0]!.mediaIds![0]![0]!;
const PLACEHOLDER = 6;
const offset = tokens.indexOf(PLACEHOLDER);
const picture: PlacedMedia = { identity, offset, length: tokens.lastIndexOf(PLACEHOLDER) + 1 - offset };

/** Blocks of the prompt that the router considers cached. */
function cachedBlocks(router: ModelRouter, size: number, prompt: Prompt): number {
  const asked = { ...request(0), prompt };
  const cached = prompt.tokens.length - router.uncachedTokens(asked);
  const { overlapBlocks } = routed(router, asked);
  expect(cached).toBe(overlapBlocks * size);
  return overlapBlocks;
}

test("a prompt matches the blocks that an engine stored for the same picture, and no others", () => {
  const { router, add } = testModel({}, blockSize);
  const worker = add("vllm");
  for (const payload of payloads) router.applyPayload(worker, payload);
  const cached = (media: PlacedMedia[]) => cachedBlocks(router, blockSize, { tokens, media, isExact: true });
  expect(cached([picture])).toBe(tokens.length / blockSize);
  expect(cached([{ ...picture, identity: "0".repeat(64) }])).toBe(0);
  expect(cached([])).toBe(0);
});

test("prompts with different pictures share the blocks before them", () => {
  const { router, add } = testModel();
  router.predictOnly(add("one"));
  const cached = (...identities: string[]) =>
    cachedBlocks(router, BLOCK_SIZE, {
      tokens: new Uint32Array(10 * BLOCK_SIZE).fill(1),
      // The first ends with the fourth block; the second begins inside the seventh.
      media: [
        { identity: identities[0]!, offset: 2 * BLOCK_SIZE, length: 2 * BLOCK_SIZE },
        { identity: identities[1]!, offset: 6 * BLOCK_SIZE + 3, length: BLOCK_SIZE },
      ],
      isExact: false,
    });
  expect(cached("a", "b")).toBe(0);
  expect(cached("a", "b")).toBe(10);
  expect(cached("c", "b")).toBe(2);
  expect(cached("a", "c")).toBe(6);
});
