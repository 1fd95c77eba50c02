import { expect, test } from "vitest";
import type { MediaInfo } from "../inspect/index.ts";
import families from "./fixtures/tokens.json" with { type: "json" };
import { type MediaTokens, mediaTokensOf } from "./index.ts";
import { filesOf, type Recorded, runsOf, spelled } from "./test-fixtures.ts";

type Case = Recorded["cases"][number];

test.each(families)("expands media of $family as vLLM does", (family) => {
  const tokens = mediaTokensOf(filesOf(family))!;
  const texts = new Map<string, readonly number[]>(Object.entries(family.texts));
  const expansions = family.cases.map((item) => [nameOf(item), expansionOf(tokens, item)]);
  expect(Object.fromEntries(expansions)).toEqual(
    Object.fromEntries(family.cases.map((item) => [nameOf(item), recorded(item, texts)])),
  );
});

test("knows nothing of a model without media, or without files", () => {
  const none = { preprocessor: undefined, videoPreprocessor: undefined, processor: undefined };
  const model = { ...none, tokenId: () => undefined, encode: () => undefined };
  expect(mediaTokensOf({ ...model, config: undefined })).toBeUndefined();
  expect(mediaTokensOf({ ...model, config: { architectures: ["LlamaForCausalLM"] } })).toBeUndefined();
});

function nameOf({ kind, ...item }: Case): string {
  const { width, height, frames, fps, samples, rate } = { ...NOTHING, ...item };
  if (kind === "image") return `an image of ${width} × ${height}`;
  if (kind === "audio") return `${samples} samples at ${rate} Hz`;
  return `a video of ${width} × ${height}, ${frames} frames at ${fps}`;
}

const NOTHING = {
  width: undefined,
  height: undefined,
  frames: undefined,
  fps: undefined,
  samples: undefined,
  rate: undefined,
};

/** The expansion with its tokens in runs, so that a difference is short. */
function expansionOf(tokens: MediaTokens, item: Case) {
  const info = infoOf(item);
  const expansion =
    info.kind === "broken" || info.kind === "document" ? undefined : tokens.expand(info.kind, info);
  return expansion && { ...expansion, tokens: runsOf(expansion.tokens) };
}

/** vLLM's range is always the whole of what stands in place of the placeholder. */
function recorded({ answer }: Case, texts: ReadonlyMap<string, readonly number[]>) {
  if (answer === null) return undefined;
  const ids = spelled(answer, texts);
  return { tokens: runsOf(ids), offset: 0, length: ids.length };
}

function infoOf({ kind, ...item }: Case): MediaInfo {
  const { width = 0, height = 0, frames, fps, samples, rate } = { ...NOTHING, ...item };
  if (kind === "image") return { kind, format: "png", width, height, isRgb: true, orientation: undefined };
  if (kind === "audio")
    return {
      kind,
      format: "wav",
      seconds: undefined,
      sampleRate: rate,
      channels: 1,
      samples,
      pcm: undefined,
    };
  const seconds = frames !== undefined && fps !== undefined ? frames / fps : undefined;
  return { kind: "video", format: "mp4", width, height, seconds, frames, framesPerSecond: fps };
}

test("measures an image as EXIF turns it", () => {
  const tokens = mediaTokensOf(filesOf(families.find(({ family }) => family === "mistral3")!))!;
  const image = (width: number, height: number, orientation?: number): MediaInfo => ({
    kind: "image",
    format: "jpeg",
    width,
    height,
    isRgb: true,
    orientation,
  });
  const upright = tokens.expand("image", image(200, 300));
  expect(tokens.expand("image", image(300, 200, 6))).toEqual(upright);
  expect(tokens.expand("image", image(200, 300, 3))).toEqual(upright);
  expect(tokens.expand("image", image(300, 200))).not.toEqual(upright);
});

test("expands only media of the kind that is asked for, and of which the model takes any", () => {
  const tokens = mediaTokensOf(filesOf(families.find(({ family }) => family === "qwen2_audio")!))!;
  const sound: MediaInfo = {
    kind: "audio",
    format: "wav",
    seconds: 1,
    sampleRate: 16_000,
    channels: 1,
    samples: 16_000,
    pcm: undefined,
  };
  expect(tokens.expand("audio", sound)?.length).toBe(25);
  expect(tokens.expand("image", sound)).toBeUndefined();
  expect(tokens.expand("audio", { ...sound, samples: undefined })).toBeUndefined();
  expect(tokens.placeholder("image")).toBeUndefined();
});

test("a size that headers can claim, but no engine takes, is refused", () => {
  const tokens = mediaTokensOf(filesOf(families.find(({ family }) => family === "qwen2_audio")!))!;
  const endless = { kind: "audio", format: "wav", seconds: 1, channels: 1, pcm: undefined } as const;
  const info: MediaInfo = { ...endless, sampleRate: 1, samples: Number.MAX_SAFE_INTEGER };
  expect(tokens.expand("audio", info)?.length ?? 0).toBeLessThanOrEqual(750);
});
