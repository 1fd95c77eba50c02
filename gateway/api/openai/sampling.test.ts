import { expect, test } from "vitest";
import type { WorkerSide } from "../../models/model.ts";
import { samplingOf } from "./sampling.ts";
import { chatCompletionRequest } from "./schemas.ts";
import { validate } from "./validate.ts";

const request = (seed: string) =>
  validate(
    chatCompletionRequest,
    JSON.parse(`{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"seed":${seed}}`),
  );

const model = { card: { name: "tiny", vocabularySize: 10 } } as WorkerSide;
const seedOf = (seed: string) => samplingOf(request(seed), model).seed!;

test("a seed may use all 64 bits, and becomes a safe integer", () => {
  const given = [
    "0",
    "-1",
    "42",
    "9007199254740991",
    "9223372036854775807",
    "-9223372036854775808",
    "5577006791947779410",
    "8674665223082153551",
    "6129484611666145821",
  ];
  const seeds = given.map(seedOf);
  expect(seeds.slice(0, 4)).toEqual([0, -1, 42, 9007199254740991]);
  for (const seed of seeds) expect(Number.isSafeInteger(seed)).toBe(true);
  expect(new Set(seeds.slice(6)).size).toBe(3);
});

test.each(["1.5", "1e19", "-1e19", '"7"'])("a seed of %s is rejected", (seed) => {
  expect(() => request(seed)).toThrow("'seed'");
});
