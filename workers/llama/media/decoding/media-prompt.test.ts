import { expect, test } from "vitest";
import { requestFor } from "../../../engine.suite.ts";
import { mediaPromptOf, roomOf, type Unit, unitsBefore } from "./media-prompt.ts";

const picture = (byte: number, position: number) => ({
  ...{ kind: "image" as const, type: "image/png", position },
  data: Uint8Array.of(byte),
});

const promptOf = (bytes: readonly [number, number][], more: object = {}) =>
  mediaPromptOf({
    ...requestFor(Uint32Array.of(1, 2, 3, 4)),
    media: bytes.map(([byte, position]) => picture(byte, position)),
    ...more,
  });

test("a medium is one unit at its place, equal for equal content and different for any other", () => {
  const { tokens, media } = promptOf([
    [7, 1],
    [8, 1],
    [7, 4],
  ]);
  expect(tokens.map((unit) => (typeof unit === "string" ? unit.slice(0, 6) : unit))).toEqual([
    ...[1, "image ", "image ", 2, 3, 4, "image "],
  ]);
  expect(tokens[1]).toBe(tokens[6]);
  expect(tokens[1]).not.toBe(tokens[2]);
  expect([...media.keys()]).toEqual([1, 2, 6]);
});

test("prompts share no more than the text before their media", () => {
  expect(promptOf([[7, 2]], { sharedTokens: 4 }).sharedTokens).toBe(2);
  expect(promptOf([[7, 4]], { sharedTokens: 3 }).sharedTokens).toBe(3);
  expect(promptOf([[7, 4]]).sharedTokens).toBe(0);
});

test("a position lies after the units that end before it", () => {
  const units: Unit[] = [1, "image", 2];
  const sizes = new Map<Unit, { tokens: number; positions: number }>([
    ["image", { tokens: 64, positions: 8 }],
  ]);
  expect(roomOf(units, sizes)).toEqual({ tokens: 66, positions: 10 });
  expect([0, 1, 8, 9, 10, 11].map((position) => unitsBefore(position, units, sizes))).toEqual([
    ...[0, 1, 1, 2, 3, 3],
  ]);
});
