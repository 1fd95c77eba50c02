import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StopStrings } from "./stop-strings.ts";

/** What a client sees of these pieces. */
function stream(stops: readonly string[], pieces: readonly string[]) {
  const finder = new StopStrings(stops);
  const shown = pieces.map((piece) => finder.push(piece));
  return { shown, rest: finder.flush(), stopped: finder.found !== undefined };
}

/** The text before the stop string that ends first; of several that end there, the longest. */
function reference(stops: readonly string[], text: string): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    if (ending.length === 0) continue;
    const longest = Math.max(...ending.map((stop) => stop.length));
    return { text: text.slice(0, end - longest), stopped: true };
  }
  return { text, stopped: false };
}

// Few letters, so that stop strings often overlap each other and the text.
const letters = fc.constantFrom("a", "b", "c");
const word = (minLength: number, maxLength: number) => fc.string({ unit: letters, minLength, maxLength });

describe("stop strings", () => {
  test("end the answer before a stop string in one piece", () => {
    expect(stream(["END"], ["one END two"])).toEqual({ shown: ["one "], rest: "", stopped: true });
  });

  test("never show part of a stop string that spans pieces", () => {
    expect(stream(["</s>"], ["one <", "/", "s> two", "three"])).toEqual({
      shown: ["one ", "", "", ""],
      rest: "",
      stopped: true,
    });
  });

  test("show a false start of a stop string once it differs or the answer ends", () => {
    expect(stream(["</s>"], ["a</", "b"]).shown).toEqual(["a", "</b"]);
    expect(stream(["</s>"], ["a</"])).toEqual({ shown: ["a"], rest: "</", stopped: false });
  });

  test("end at the stop string that is complete first, even if another began before it", () => {
    expect(stream(["abcd", "bc"], ["xabcd"]).shown).toEqual(["xa"]);
    expect(stream(["abcd", "bc"], [..."xabcd"]).shown.join("")).toBe("xa");
  });

  test("return the text up to the first stop string, however it is cut into pieces", () => {
    fc.assert(
      fc.property(
        fc.array(word(1, 4), { minLength: 1, maxLength: 4 }),
        fc.array(word(0, 5)),
        (stops, pieces) => {
          const { shown, rest, stopped } = stream(stops, pieces);
          expect({ text: shown.join("") + rest, stopped }).toEqual(reference(stops, pieces.join("")));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("hold back only text that may begin a stop string", () => {
    fc.assert(
      fc.property(fc.array(word(1, 4), { minLength: 1, maxLength: 4 }), word(0, 30), (stops, text) => {
        const finder = new StopStrings(stops);
        let shown = "";
        for (let at = 0; at < text.length; at++) {
          shown += finder.push(text[at]!);
          if (finder.found !== undefined) return;
          const held = text.slice(shown.length, at + 1);
          expect(held === "" || stops.some((stop) => stop.startsWith(held))).toBe(true);
        }
      }),
    );
  });
});
