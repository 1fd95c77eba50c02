import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { nodeByteTools } from "../adapters/node/byte-tools.ts";
import { webByteTools } from "./byte-tools.ts";
import { checkMedium } from "./check-medium.ts";
import { readEncoded } from "./content.ts";
import { Medium } from "./medium.ts";

const node = await nodeByteTools(createLogger({ name: "test", level: "error" }));
const encode = (text: string) => new TextEncoder().encode(text);

const { vectors }: { vectors: { what: string; model_id: string; base64: string; hash: string }[] } =
  JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", "vllm-image-hashes.json"), "utf8"));

const limits = { maxBytes: 1e6, maxPixels: 1e6 };
const field = { path: "p", steps: [], partSteps: [], part: {}, kind: "image", text: "" } as const;

describe("a medium", () => {
  test.each(vectors)(
    "is known to vLLM by its hash: $what of $model_id",
    async ({ base64, model_id, hash }) => {
      const medium = checkMedium(field, readEncoded(encode(base64))!, limits, node);
      expect(await medium.vllmHash(model_id)).toBe(hash);
      expect(await medium.vllmHash("another")).not.toBe(hash);
    },
  );

  test.each([
    ["Node's tools", node],
    ["web standards", webByteTools],
  ])("has a digest of its bytes, with %s", async (_what, tools) => {
    const sizes = [1, 2, 3, 47, 48 * 1024, 48 * 1024 + 1, 3_000_001];
    for (const size of sizes) {
      const bytes = new Uint8Array(size).map((_, index) => (index * 7919) >> 3);
      const digest = (text: string) =>
        new Medium(readEncoded(encode(text))!, "image", undefined, tools).digest();
      const base64 = Buffer.from(bytes).toString("base64");
      const [one, same, other] = await Promise.all([
        digest(base64),
        digest(`data:image/png;base64,${base64}`),
        digest(
          Buffer.from(bytes)
            .fill(9, size - 1)
            .toString("base64"),
        ),
      ]);
      expect(one).toMatch(/^[\da-f]{64}$/);
      expect(same).toBe(one);
      expect(other).not.toBe(one);
      if (tools === webByteTools) expect(one).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
  });

  test.each([
    ["a character that is none of base64", "AAA*"],
    ["a line break", "AAA\nAAAA"],
    ["padding in the middle", `${"AAAA".repeat(10)}A=AA`],
  ])("with %s has none", async (_what, text) => {
    for (const tools of [node, webByteTools])
      expect(
        await new Medium(readEncoded(encode(text))!, "image", undefined, tools).digest(),
      ).toBeUndefined();
  });
});
