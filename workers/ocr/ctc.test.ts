import { expect, test } from "vitest";
import { decodeCtc, parseDictionary } from "./ctc.ts";

const characters = parseDictionary("a\nb\n");

/** Steps in which one character has a probability, and the blank the rest. */
const steps = (...each: readonly (readonly [character: string, probability: number])[]) =>
  Float32Array.from(
    each.flatMap(([character, probability]) => {
      const row = characters.map((known) => (known === character ? probability : 0));
      if (character !== "") row[0] = 1 - probability;
      return row;
    }),
  );

test("the dictionary has the blank first and the space last", () => {
  expect(characters).toEqual(["", "a", "b", " "]);
  expect(parseDictionary("a\r\nb")).toEqual(characters);
});

test("repetitions are one character unless a blank is between them", () => {
  const read = decodeCtc(steps(["a", 0.9], ["a", 0.9], ["", 1], ["a", 0.7], ["b", 0.8]), characters);
  expect(read.text).toBe("aab");
  expect(read.score).toBeCloseTo(0.8);
});

test("a space needs little to be seen, and does not lower the score", () => {
  const read = decodeCtc(steps(["a", 0.9], [" ", 0.1], ["b", 0.9], [" ", 0.01], ["a", 0.9]), characters);
  expect(read.text).toBe("a ba");
  expect(read.score).toBeCloseTo(0.9);
});

test("spaces at the ends and twice are left out", () => {
  const read = decodeCtc(
    steps([" ", 1], ["a", 1], [" ", 1], ["", 1], [" ", 1], ["b", 1], [" ", 1]),
    characters,
  );
  expect(read.text).toBe("a b");
});

test("nothing has no score", () => {
  expect(decodeCtc(steps(["", 1], ["", 1]), characters)).toEqual({ text: "", score: 0 });
});
