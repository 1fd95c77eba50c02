import { describe, expect, test } from "vitest";
import type { MediaInfo } from "../inspect/index.ts";
import families from "./fixtures/tokens.json" with { type: "json" };
import { type MediaTokens, type ModelFiles, mediaTokensOf } from "./index.ts";

type Recorded = (typeof families)[number];
type Case = Recorded["cases"][number];

describe.each(families)("$family", (family) => {
  const tokens = mediaTokensOf(filesOf(family))!;
  test.each(family.cases.map((item) => ({ name: nameOf(item), item })))(
    "expands $name as vLLM does",
    ({ item }) => {
      expect(answerOf(tokens, item)).toEqual(item.answer);
    },
  );
});

test("knows nothing of a model without media, or without files", () => {
  const none = { preprocessor: undefined, videoPreprocessor: undefined, processor: undefined };
  const model = { ...none, tokenId: () => undefined, encode: () => undefined };
  expect(mediaTokensOf({ ...model, config: undefined })).toBeUndefined();
  expect(mediaTokensOf({ ...model, config: { architectures: ["LlamaForCausalLM"] } })).toBeUndefined();
});

function filesOf({ files, tokens, texts }: Recorded): ModelFiles {
  const none = { preprocessor: undefined, videoPreprocessor: undefined, processor: undefined };
  const ids = new Map(Object.entries(tokens));
  const encodings = new Map<string, number[]>(Object.entries(texts));
  return { ...none, ...files, tokenId: (text) => ids.get(text), encode: (text) => encodings.get(text) };
}

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

/** In the fixture's form: runs of equal tokens. */
function answerOf(tokens: MediaTokens, item: Case) {
  const info = infoOf(item);
  const expansion =
    info.kind === "broken" || info.kind === "document" ? undefined : tokens.expand(info.kind, info);
  if (expansion === undefined) return null;
  const runs: [number, number][] = [];
  for (const token of expansion.tokens) {
    const last = runs.at(-1);
    if (last?.[0] === token) last[1] += 1;
    else runs.push([token, 1]);
  }
  return { runs, offset: expansion.offset, length: expansion.length };
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
