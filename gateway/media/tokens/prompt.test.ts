import { expect, test } from "vitest";
import type { ImageInfo } from "../inspect/index.ts";
import families from "./fixtures/tokens.json" with { type: "json" };
import { expandPrompt, type MediaTokens, mediaTokensOf } from "./index.ts";
import { filesOf, runsOf, spelled } from "./test-fixtures.ts";

const image = (width: number, height: number): ImageInfo => ({
  kind: "image",
  format: "png",
  width,
  height,
  isRgb: true,
  orientation: undefined,
});

const prompts = families.flatMap((family) => family.prompts.map((prompt) => ({ family, ...prompt })));

test.each(prompts)("expands the prompt $prompt of $family.family as vLLM does", ({ family, ...recorded }) => {
  const media = recorded.images.map(
    ([width, height]) => ({ kind: "image", info: image(width!, height!) }) as const,
  );
  const { tokens, ranges, isComplete } = expandPrompt(
    mediaTokensOf(filesOf(family))!,
    recorded.prompt,
    media,
  );
  expect(isComplete).toBe(true);
  expect(runsOf(tokens)).toEqual(runsOf(spelled(recorded.answer, new Map())));
  expect(ranges.map(({ offset, length }) => [offset, length])).toEqual(recorded.ranges);
  expect(ranges.map(({ medium }) => medium)).toEqual(media.map((_, index) => index));
});

/** Images are token 1, three of them for each; sounds token 2, of unknown length. */
const simple: MediaTokens = {
  family: "simple",
  placeholder: (kind) => ({ image: 1, audio: 2, video: undefined })[kind],
  written: () => undefined,
  expand: (kind) =>
    kind === "image" ? { tokens: new Uint32Array([8, 1, 9]), offset: 1, length: 1 } : undefined,
  merges: [],
};
const sound = { kind: "audio", info: image(1, 1) } as const;
const picture = { kind: "image", info: image(1, 1) } as const;

test("a prompt ends before the first medium whose length is unknown", () => {
  expect(expandPrompt(simple, [5, 1, 6, 2, 7, 1], [sound, picture, picture])).toEqual({
    tokens: new Uint32Array([5, 8, 1, 9, 6]),
    ranges: [{ medium: 1, offset: 2, length: 1 }],
    isComplete: false,
  });
});

test("a placeholder without a medium stays as it is", () => {
  expect(expandPrompt(simple, [1, 1, 2], [picture])).toEqual({
    tokens: new Uint32Array([8, 1, 9, 1, 2]),
    ranges: [{ medium: 0, offset: 1, length: 1 }],
    isComplete: true,
  });
});
