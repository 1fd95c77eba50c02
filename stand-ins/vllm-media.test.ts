import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandInWork, startVllm } from "./index.ts";
import { json, post } from "./test-client.ts";

let folder: string;
let works: StandInWork[];
const onWork = (work: StandInWork) => void works.push(work);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "encoder-"));
  works = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const image = (data: string, uuid?: string) => ({
  type: "image_url",
  image_url: { url: `data:image/png;base64,${data}` },
  ...(uuid !== undefined && { uuid }),
});
const chat = (...content: object[]) => ({ messages: [{ role: "user", content }], max_tokens: 8 });
const text = { type: "text", text: "What is it?" };

describe("a stand-in for vLLM that takes media", () => {
  test("answers to the same picture alike, and to another one by another prompt", async () => {
    await using vllm = await startVllm({ takesMedia: true, onWork });
    const chatUrl = `${vllm.url}/v1/chat/completions`;
    const cachedTokens = async (data: string) => {
      const { usage } = await json(post(chatUrl, chat(image(data), text)));
      const details: unknown = Reflect.get(Object(usage), "prompt_tokens_details");
      return Number(Reflect.get(Object(details), "cached_tokens"));
    };
    expect(await cachedTokens("AAAA")).toBe(0);
    const [{ promptTokens }] = works as [StandInWork];
    expect(works).toEqual([{ did: "answered", media: ["image"], promptTokens }]);
    expect(await cachedTokens("AAAA")).toBeGreaterThan(promptTokens - 17);
    expect(await cachedTokens("BBBB")).toBeLessThan(32);
  });

  test("encodes, and takes embeddings in place of pictures, but ends without them", async () => {
    let crashes = 0;
    await using encoder = await startVllm({ role: "encode", encoderFolder: folder, onWork });
    await using vllm = await startVllm({
      takesMedia: true,
      encoderFolder: folder,
      onWork,
      crash: () => void crashes++,
    });
    const metadata = { image_grid_thw: [1, 2, 2] };
    expect(await json(post(`${encoder.url}/v1/chat/completions`, chat(image("AAAA", "one"))))).toMatchObject({
      ec_transfer_params: { one: { item_indices: [0], metadata } },
    });
    const ask = async (id: string) => {
      const part = { type: "image_embeds", image_embeds: metadata, uuid: id };
      return (await post(`${vllm.url}/v1/chat/completions`, chat(part, text))).status;
    };
    expect(await ask("one")).toBe(200);
    expect(works.map(({ did, media }) => [did, ...media])).toEqual([
      ["encoded", "image"],
      ["answered", "embedding"],
    ]);
    expect([crashes, await ask("another"), crashes]).toEqual([0, 500, 1]);
  });
});
