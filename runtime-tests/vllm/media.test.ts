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
const media = new MediaRequests(files);

const KINDS = ["omni", "qwen2vl"] as const;
type Kind = (typeof KINDS)[number];
type How = "the model's files" | "the engine's /tokenize";

interface Engine {
  readonly server: VllmServer;
  /** Gateways that read prompts in different ways. */
  readonly urls: Readonly<Record<How, string>>;
}

/** Set before the tests run. */
const engines: Partial<Record<Kind, Engine>> = {};

beforeAll(async () => {
  writeMediaFiles(files);
  await Promise.all(KINDS.map(start));
});

async function start(kind: Kind): Promise<void> {
  const folder = temporaryFolder();
  writeMediaModel(kind, folder);
  const server = await VllmServer.start(folder, { takesMedia: true });
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
  engines[kind] = {
    server,
    urls: { "the model's files": ofFiles, "the engine's /tokenize": await ready("engine") },
  };
}

afterAll(async () => {
  await Promise.all(Object.values(engines).map(({ server }) => server.stop()));
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
  "a video": (prompt, one) => [
    "/v1/chat/completions",
    chat(text(prompt), media.part(one.replace("png", "mp4")), text("What happens?")),
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

const FILES = [
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

/** What each model is asked: everything of the one that takes all media, and of the other one what it counts by rules of its own. */
const ASKED: Record<Kind, { cases: readonly string[]; files: readonly string[] }> = {
  omni: { cases: Object.keys(CASES), files: FILES },
  qwen2vl: { cases: ["an image", "two images", "a video"], files: ["wide.jpg", "long.mp4"] },
};

/** Length of a prompt, in any API; Messages do not count what was cached. */
function promptTokens({ json: { usage } }: Asked): number {
  const { prompt_tokens, input_tokens, cache_read_input_tokens = 0 } = usage as Record<string, number>;
  return prompt_tokens ?? input_tokens! + cache_read_input_tokens;
}

test.each(KINDS)("the doctor proves it of %s", async (kind) => {
  const doctor = new StatorProcess(["doctor", engines[kind]!.server.url, "--json", "--config=none"]);
  expect(await doctor.ended()).toBe(0);
  const report = JSON.parse(doctor.stdout);
  const check = report.engines[0].checks.find(({ id }: { id: string }) => id === "media");
  expect(check.text).toMatch(
    /recognised by all its \d+ blocks, and \d+ of its \d+ tokens came from the cache; another/,
  );
  expect(check.status).toBe("ok");
});

describe.each(
  KINDS.flatMap((kind) =>
    (["the model's files", "the engine's /tokenize"] as const).map((how) => ({ kind, how })),
  ),
)("of $kind, by $how", ({ kind, how }) => {
  /** Predicted and reported cached tokens of a request. */
  const tokens = async (path: string, body: object) => {
    const asked = await ask(engines[kind]!.urls[how], path, body);
    expect(asked.status, JSON.stringify(asked.json)).toBe(200);
    // At least one token is always computed, and with it its block.
    const reusable = Math.floor((promptTokens(asked) - 1) / BLOCK_SIZE) * BLOCK_SIZE;
    return { predicted: Math.min(asked.overlapTokens, reusable), reported: cachedTokens(asked) };
  };

  test.each(ASKED[kind].cases)("what is cached of %s is predicted", async (what) => {
    const build = CASES[what]!;
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

  test.each(ASKED[kind].files)("%s has as many tokens as are predicted", async (name) => {
    const body = chat(text(freshText(20)), media.part(name), text("What is it? ".repeat(20)));
    await tokens("/v1/chat/completions", body);
    const { predicted, reported } = await tokens("/v1/chat/completions", body);
    expect(predicted).toBe(reported);
    expect(reported).toBeGreaterThan(32);
  });
});
