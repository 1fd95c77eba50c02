import fc from "fast-check";
import { expect, test } from "vitest";
import type { MediaInfo } from "../inspect/index.ts";
import families from "./fixtures/tokens.json" with { type: "json" };
import { mediaTokensOf } from "./index.ts";
import { filesOf } from "./test-fixtures.ts";

const models = families.map((family) => mediaTokensOf(filesOf(family))!);
const side = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
const number = fc.oneof(
  fc.integer({ min: 0, max: 10_000 }),
  fc.maxSafeNat(),
  fc.double({ min: 0, noNaN: true }),
);
const maybe = fc.option(number, { nil: undefined });
const orientation = fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined });

const anyInfo: fc.Arbitrary<MediaInfo> = fc.oneof(
  fc.record({ width: side, height: side, orientation }).map((image): MediaInfo => {
    return { kind: "image", format: "png", isRgb: undefined, ...image };
  }),
  fc
    .record({ seconds: maybe, sampleRate: maybe, channels: maybe, samples: maybe })
    .map((sound): MediaInfo => {
      return { kind: "audio", format: "wav", pcm: undefined, ...sound };
    }),
  fc
    .record({ width: maybe, height: maybe, seconds: maybe, frames: maybe, framesPerSecond: maybe })
    .map((video): MediaInfo => ({ kind: "video", format: "mp4", ...video })),
);

test("any claim of any header is expanded without an error, and within bounds", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...models),
      fc.constantFrom("image", "audio", "video"),
      anyInfo,
      (model, kind, info) => {
        const expansion = model.expand(kind, info);
        if (expansion === undefined) return;
        expect(expansion.length).toBeGreaterThan(0);
        expect(expansion.offset + expansion.length).toBeLessThanOrEqual(expansion.tokens.length);
        expect(expansion.tokens.length).toBeLessThanOrEqual(4_194_304);
      },
    ),
    { numRuns: 3_000 },
  );
});
