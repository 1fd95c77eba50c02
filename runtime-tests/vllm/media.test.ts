import { renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { becomesReady } from "./losses.suite.ts";
import { chat, MediaRequests, text } from "./media-requests.ts";
import { type Asked, ask, attach, cachedTokens, freshText } from "./setup.ts";
import { BLOCK_SIZE, VllmServer, writeMediaFiles, writeMediaModel } from "./vllm-server.ts";

const files = temporaryFolder();
const folder = temporaryFolder();
const media = new MediaRequests(files);
let server: VllmServer;
let urls: { "the model's files": string; "the engine's /tokenize": string };

beforeAll(async () => {
  writeMediaFiles(files);
  writeMediaModel("omni", folder);
  server = await VllmServer.start(folder, { takesMedia: true });
  const ready = async (name: string) => {
    const { url } = await attach([server.url], "--health-timeout=60");
    await becomesReady(url, new URL(server.url).host);
    // The prompt's reader is chosen with the first request.
    await ask(url, "/v1/chat/completions", chat({ type: "text", text: name }));
    return url;
  };
  const ofFiles = await ready("files");
  // vLLM has read it, and a gateway on another machine could not.
  renameSync(join(folder, "tokenizer.json"), join(folder, "hidden.json"));
  urls = { "the model's files": ofFiles, "the engine's /tokenize": await ready("engine") };
});

afterAll(async () => {
  await server?.stop();
});

/** Requests with media, behind a text of their own. */
const CASES: Record<string, (text: string, one: string, two: string) => [path: string, body: object]> = {
  "an image": (prompt, one) => [
    "/v1/chat/completions",
    chat(text(prompt), media.part(one), text("What is it?")),
  ],
  "two images": (prompt, one, two) => [
    "/v1/chat/completions",
    chat(text(prompt), media.part(one), text(" or "), media.part(two), text("?")),
  ],
  "an image at the beginning of a conversation": (prompt, one) => [
    "/v1/chat/completions",
    {
      max_tokens: 1,
      messages: [
        { role: "system", content: prompt },
        { role: "user", content: [media.part(one), text("What is it?")] },
        { role: "assistant", content: "A picture." },
        { role: "user", content: "Of what? ".repeat(20) },
      ],
    },
  ],
  "an image and audio": (prompt, one) => [
    "/v1/chat/completions",
    chat(text(prompt), media.part(one), media.part("one.wav"), text("?")),
  ],
  input_audio: (prompt) => [
    "/v1/chat/completions",
    chat(
      text(prompt),
      { type: "input_audio", input_audio: { data: media.base64("music.wav"), format: "wav" } },
      text("?"),
    ),
  ],
  "an image of Messages": (prompt, one) => [
    "/v1/messages",
    {
      max_tokens: 1,
      messages: [{ role: "user", content: [text(prompt), media.source(one), text("What is it?")] }],
    },
  ],
  "an image of Responses": (prompt, one) => [
    "/v1/responses",
    {
      max_output_tokens: 1,
      store: false,
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: prompt },
            { type: "input_image", detail: "auto", image_url: media.dataUrl(one) },
            { type: "input_text", text: "What is it?" },
          ],
        },
      ],
    },
  ],
};

const KINDS = [
  "wide.jpg",
  "large.webp",
  "grey.png",
  "palette.png",
  "palette.gif",
  "clear.png",
  "print.jpg",
  "bitmap.bmp",
  "scan.tiff",
  "turned.jpg",
  "one.wav",
  "music.wav",
  "one.mp4",
  "long.mp4",
];

/** Length of a prompt, in any API; Messages do not count what was cached. */
function promptTokens({ json: { usage } }: Asked): number {
  const { prompt_tokens, input_tokens, cache_read_input_tokens = 0 } = usage as Record<string, number>;
  return prompt_tokens ?? input_tokens! + cache_read_input_tokens;
}

test("the doctor proves it", async () => {
  const doctor = new StatorProcess(["doctor", server.url, "--json", "--config=none"]);
  expect(await doctor.ended()).toBe(0);
  const { engines } = JSON.parse(doctor.stdout);
  const check = engines[0].checks.find(({ id }: { id: string }) => id === "media");
  expect(check.text).toMatch(
    /recognised by all its \d+ blocks, and \d+ of its \d+ tokens came from the cache; another/,
  );
  expect(check.status).toBe("ok");
});

describe.each(["the model's files", "the engine's /tokenize"] as const)("by %s", (how) => {
  /** Predicted and reported cached tokens of a request. */
  const tokens = async (path: string, body: object) => {
    const asked = await ask(urls[how], path, body);
    expect(asked.status, JSON.stringify(asked.json)).toBe(200);
    // At least one token is always computed, and with it its block.
    const reusable = Math.floor((promptTokens(asked) - 1) / BLOCK_SIZE) * BLOCK_SIZE;
    return { predicted: Math.min(asked.overlapTokens, reusable), reported: cachedTokens(asked) };
  };

  test.each(Object.entries(CASES))("what is cached of %s is predicted", async (_what, build) => {
    const prompt = freshText(40);
    const first = await tokens(...build(prompt, "one.png", "two.png"));
    expect(first.predicted).toBe(first.reported);
    const again = await tokens(...build(prompt, "one.png", "two.png"));
    expect(again.predicted).toBe(again.reported);
    expect(again.reported).toBeGreaterThan(first.reported!);
    // Other media of the same size are others.
    const other = await tokens(...build(prompt, "two.png", "one.png"));
    expect(other.predicted).toBe(other.reported);
  });

  test.each(KINDS)("%s has as many tokens as are predicted", async (name) => {
    const body = chat(text(freshText(20)), media.part(name), text("What is it? ".repeat(20)));
    await tokens("/v1/chat/completions", body);
    const { predicted, reported } = await tokens("/v1/chat/completions", body);
    expect(predicted).toBe(reported);
    expect(reported).toBeGreaterThan(32);
  });
});
