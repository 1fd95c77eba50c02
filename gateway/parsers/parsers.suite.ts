import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnswerFormats, AnswerParser } from "./answer-parser.ts";
import type { ReasoningFormat, ToolFormat, ToolFunction } from "./types.ts";

/** A call as a client gets it. */
export interface ParsedCall {
  readonly name: string;
  /** JSON as it was streamed. */
  arguments: string;
  readonly id?: string;
  isBroken?: true;
}

/** An answer as a client gets it. */
export interface ParsedAnswer {
  text: string;
  reasoning: string;
  readonly calls: ParsedCall[];
}

/** Reads an answer that arrives in these pieces. */
export function parse(formats: AnswerFormats, pieces: readonly string[], isInside = false): ParsedAnswer {
  const answer: ParsedAnswer = { text: "", reasoning: "", calls: [] };
  const current = () => answer.calls.at(-1)!;
  const parser = new AnswerParser(formats, isInside, {
    text: (text) => {
      answer.text += text;
    },
    reasoning: (text) => {
      answer.reasoning += text;
    },
    begin: (name, id) => answer.calls.push({ name, arguments: "", ...(id !== undefined && { id }) }),
    arguments: (json) => {
      current().arguments += json;
    },
    end: (isBroken) => {
      if (isBroken) current().isBroken = true;
    },
  });
  for (const piece of pieces) parser.push(piece);
  parser.end();
  return answer;
}

/** The pieces that a text arrives in if its UTF-8 bytes are cut before these offsets. */
export function cutBytes(text: string, offsets: readonly number[]): string[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const ends = [...offsets.filter((at) => at > 0 && at < bytes.length), bytes.length];
  let from = 0;
  return ends.map((to) => {
    const piece = decoder.decode(bytes.subarray(from, to), { stream: true });
    from = to;
    return piece;
  });
}

/** What the answer is, however it is cut. */
export function parseAnyhow(formats: AnswerFormats, text: string, isInside = false): ParsedAnswer {
  const whole = parse(formats, [text], isInside);
  const { length } = new TextEncoder().encode(text);
  const everywhere = cutBytes(
    text,
    Array.from({ length }, (_, at) => at),
  );
  expect(parse(formats, everywhere, isInside), "cut at every byte").toEqual(whole);
  for (let at = 1; at < length; at++)
    expect(parse(formats, cutBytes(text, [at]), isInside), `cut before byte ${at}`).toEqual(whole);
  return whole;
}

export const WEATHER: ToolFunction = {
  name: "get_weather",
  parameters: {
    type: "object",
    properties: {
      city: { type: "string" },
      days: { type: "integer" },
      metric: { type: "boolean" },
      where: { type: "object", properties: { lat: { type: "number" }, tags: { type: "array" } } },
    },
    required: ["city"],
  },
};
export const SEARCH: ToolFunction = {
  name: "web.search-2",
  parameters: { type: "object", properties: { query: { type: "string" } } },
};
export const NOW: ToolFunction = { name: "now", parameters: { type: "object", properties: {} } };
const TOOLS = new Map([WEATHER, SEARCH, NOW].map((tool) => [tool.name, tool]));

export const withTools = (format: ToolFormat): AnswerFormats => ({ calls: { format, tools: TOOLS } });

export interface WrittenCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface ToolFormatCase {
  readonly format: ToolFormat;
  /** Calls as a model of this family writes them. */
  write(calls: readonly WrittenCall[]): string;
  /** Whether text can precede calls in this format. Default true. */
  readonly allowsTextBefore?: boolean;
  /** Whether text can follow calls in this format. Default true. */
  readonly allowsTextAfter?: boolean;
  /** Whether the format drops its control tokens, and what is between some, even if there are no calls. */
  readonly isFramed?: boolean;
  /** Ordinary text that resembles the format. */
  readonly lookalikes: readonly string[];
}

/** What every format of tool calls must do. */
export function describeToolFormat(options: ToolFormatCase): void {
  const {
    format,
    write,
    allowsTextBefore = true,
    allowsTextAfter = true,
    isFramed = false,
    lookalikes,
  } = options;
  const formats = withTools(format);
  const read = (text: string) => parseAnyhow(formats, text);
  const expectText = (found: string, written: string) => {
    if (!isFramed) expect(found).toBe(written);
    else for (const token of format.controls ?? []) expect(found).not.toContain(token);
  };
  const expectHonesty = ({ calls }: ParsedAnswer) => {
    for (const call of calls) {
      if (call.isBroken) continue;
      const given: unknown = JSON.parse(call.arguments);
      expect(given).toBeInstanceOf(Object);
      expect(given).not.toBeInstanceOf(Array);
    }
  };
  const callsOf = ({ calls }: ParsedAnswer) =>
    calls.map(({ name, arguments: json, isBroken }) => {
      expect(isBroken).toBeUndefined();
      return { name, arguments: JSON.parse(json) };
    });

  describe(`the ${format.name} parser, as all others,`, () => {
    test.each(EXAMPLES)("reads %s", (_, calls) => {
      const answer = read(write(calls));
      expect(callsOf(answer)).toEqual(calls);
      expect(answer.text).toBe("");
    });

    test("keeps the text around calls", () => {
      const before = allowsTextBefore ? "I will look. 1 < 2, {a}. Æ 😀" : "";
      const after = allowsTextAfter ? "So [that] is <it>." : "";
      const answer = read(`${before}\n\n${write([PARIS])}\n${after}`.trim());
      expect(callsOf(answer)).toEqual([PARIS]);
      expect(answer.text).toBe(before + after);
    });

    test.each([...TEXTS, ...lookalikes])("leaves text as it is: %j", (text) => {
      expect(read(text)).toEqual({ text, reasoning: "", calls: [] });
    });

    test("is honest about an answer that breaks off", () => {
      const text = write([PARIS]);
      for (let length = 1; length < text.length; length++) {
        const answer = parse(formats, [text.slice(0, length)]);
        const everywhere = parse(formats, [...text.slice(0, length)]);
        expect(everywhere).toEqual(answer);
        const [call] = answer.calls;
        if (call === undefined) expectText(answer.text, text.slice(0, length));
        else if (!call.isBroken) expect(JSON.parse(call.arguments)).toEqual(PARIS.arguments);
      }
    });

    test("streams arguments as they come", () => {
      const long = "a long text, ".repeat(50);
      const call = { name: WEATHER.name, arguments: { city: long } };
      let pieces = 0;
      const text = write([call]);
      const parser = new AnswerParser(formats, false, {
        text: () => {},
        reasoning: () => {},
        begin: () => {},
        arguments: () => pieces++,
        end: () => {},
      });
      for (const piece of text.match(/.{1,10}/gs) ?? []) parser.push(piece);
      parser.end();
      expect(pieces).toBeGreaterThan(long.length / 20);
    });

    test("reads what it has written, whatever the arguments and the cuts", () => {
      fc.assert(
        fc.property(calls, fc.array(fc.nat(2_000), { maxLength: 20 }), (some, cuts) => {
          const text = write(some);
          const answer = parse(
            formats,
            cutBytes(
              text,
              cuts.sort((a, b) => a - b),
            ),
          );
          expect(callsOf(answer)).toEqual(some);
        }),
        { numRuns: 100 },
      );
    });

    test.each(["[", '{"a":', "{a:", "("])("is not overwhelmed by many levels of %s", (level) => {
      const text = write([PARIS]).replace(/["']?Paris["']?/, () => level.repeat(20_000));
      const { calls } = parse(formats, [text]);
      expect(calls).toHaveLength(1);
    });

    test("is honest about calls that are damaged", () => {
      fc.assert(
        fc.property(calls, fc.array(damage, { minLength: 1, maxLength: 3 }), (some, damages) => {
          const text = damages.reduce((before, { at, length, isTwice }) => {
            const from = at % (before.length + 1);
            return (
              before.slice(0, from + (isTwice ? length : 0)) + before.slice(from + (isTwice ? 0 : length))
            );
          }, write(some));
          const answer = parse(formats, [text]);
          expect(parse(formats, [...text])).toEqual(answer);
          if (answer.calls.length === 0) expectText(answer.text, text);
          expectHonesty(answer);
        }),
        { numRuns: 100 },
      );
    });

    test("never fails, and loses no text, whatever it reads", () => {
      const markers = [...format.begins, ...(format.opens ?? []), ...(format.ends ?? [])];
      const parts = [
        ...markers,
        "{",
        "}",
        "[",
        "]",
        '"',
        "name",
        "arguments",
        ":",
        ",",
        "\n",
        "<",
        "get_weather",
        "(",
        ")",
        "=",
        "é",
      ];
      const piece = fc.oneof(fc.constantFrom(...parts), fc.string({ maxLength: 5 }));
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
          const text = pieces.join("");
          const answer = parse(formats, pieces);
          expect(parse(formats, [text])).toEqual(answer);
          if (answer.calls.length === 0) expectText(answer.text, text);
          expectHonesty(answer);
        }),
        { numRuns: 200 },
      );
    });
  });
}

/** Some characters that are missing, or that are there twice. */
const damage = fc.record({
  at: fc.nat(5_000),
  length: fc.integer({ min: 1, max: 12 }),
  isTwice: fc.boolean(),
});

const PARIS: WrittenCall = { name: WEATHER.name, arguments: { city: "Paris" } };

const EXAMPLES: [string, WrittenCall[]][] = [
  ["a call", [PARIS]],
  ["a call without arguments", [{ name: NOW.name, arguments: {} }]],
  [
    "arguments of all types",
    [
      {
        name: WEATHER.name,
        arguments: { city: "Oslo", days: 3, metric: true, where: { lat: -1.5e3, tags: ["a", null, {}] } },
      },
    ],
  ],
  [
    "several calls",
    [PARIS, { name: SEARCH.name, arguments: { query: "rain" } }, { name: NOW.name, arguments: {} }],
  ],
  ["escapes", [{ name: SEARCH.name, arguments: { query: 'a "quoted"\\\n\ttext' } }]],
  ["unicode", [{ name: SEARCH.name, arguments: { query: "Zürich 東京 😀 \u2028" } }]],
  [
    "text with marks of other formats",
    [{ name: SEARCH.name, arguments: { query: "if (a < b) { x[0] = '}' } </b>" } }],
  ],
];

const TEXTS = [
  "Just text.",
  "a < b and b > c, <b>bold</b>, {braces}, [brackets] and (parens)",
  "if (x) { return [1, 2]; }",
  "  leading and trailing blanks \n\n",
  "half a marker <",
  "日本語と絵文字 😀",
];

/** Text without blanks at its ends, which some formats cannot tell from their own. */
const plainText = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.trim());
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    plainText,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    tie("list"),
    tie("object"),
  ),
  list: fc.array(tie("any"), { maxLength: 3 }),
  object: fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), tie("any"), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
}));
const weather = fc.record(
  { city: plainText, days: fc.integer(), metric: fc.boolean(), where: value.object as fc.Arbitrary<object> },
  { requiredKeys: ["city"], noNullPrototype: true },
);
const calls = fc.array(
  fc.oneof(
    weather.map((given) => ({ name: WEATHER.name, arguments: given })),
    plainText.map((query) => ({ name: SEARCH.name, arguments: { query } })),
    fc.constant({ name: NOW.name, arguments: {} }),
  ),
  { minLength: 1, maxLength: 4 },
) as fc.Arbitrary<WrittenCall[]>;

export interface ReasoningFormatCase {
  readonly format: ReasoningFormat;
  /** An answer as a model of this family writes it. @param isInside whether it begins in the middle of reasoning */
  write(reasoning: string, text: string, isInside: boolean): string;
  /** Ends of prompts after which an answer begins in the middle of reasoning, and outside. */
  readonly inside: readonly string[];
  readonly outside: readonly string[];
}

/** What every format of reasoning must do. */
export function describeReasoningFormat({ format, write, inside, outside }: ReasoningFormatCase): void {
  const formats = { reasoning: format };

  describe(`the ${format.name} parser of reasoning, as all others,`, () => {
    test.each([true, false])("separates reasoning from text (inside: %s)", (isInside) => {
      for (const [reasoning, text] of THOUGHTS) {
        const answer = parseAnyhow(formats, write(reasoning!, text!, isInside), isInside);
        expect(answer).toEqual({ reasoning, text, calls: [] });
      }
    });

    test.each(TEXTS)("leaves an answer without reasoning as it is: %j", (text) => {
      if (outside.length > 0) expect(parseAnyhow(formats, text)).toEqual({ text, reasoning: "", calls: [] });
    });

    test("takes an answer that breaks off within the reasoning for reasoning", () => {
      const whole = write("I think. Therefore", "", true);
      const answer = parseAnyhow(formats, whole.slice(0, whole.indexOf("Therefore") + 5), true);
      expect(answer).toEqual({ reasoning: "I think. There", text: "", calls: [] });
    });

    test("knows from the prompt whether the answer begins inside", () => {
      for (const prompt of inside) expect(format.beginsInside(prompt), prompt).toBe(true);
      for (const prompt of outside) expect(format.beginsInside(prompt), prompt).toBe(false);
    });

    test("finds the same however an answer is cut, whatever it reads", () => {
      const parts = [
        ...(format.controls ?? []),
        format.end,
        "analysis",
        "thought",
        " ",
        "\n",
        "<",
        "to=",
        "é",
      ];
      const piece = fc.oneof(fc.constantFrom(...parts), fc.string({ maxLength: 5 }));
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, isInside) => {
          const answer = parse(formats, pieces, isInside);
          expect(parse(formats, [pieces.join("")], isInside)).toEqual(answer);
        }),
        { numRuns: 100 },
      );
    });

    test("passes on reasoning as it comes", () => {
      let pieces = 0;
      const parser = new AnswerParser(formats, true, {
        text: () => {},
        reasoning: () => pieces++,
        begin: () => {},
        arguments: () => {},
        end: () => {},
      });
      const long = "I think. ".repeat(50);
      for (const piece of write(long, "", true).match(/.{1,10}/gs) ?? []) {
        if (pieces === 3) expect(parser.isReasoning).toBe(true);
        parser.push(piece);
      }
      parser.end();
      expect(parser.isReasoning).toBe(false);
      expect(pieces).toBeGreaterThan(long.length / 20);
    });

    test("reads what it has written, however it is cut", () => {
      const text = plainText.filter((each) => !/[<>[\]|]/.test(each));
      fc.assert(
        fc.property(
          text,
          text,
          fc.boolean(),
          fc.array(fc.nat(200), { maxLength: 20 }),
          (thought, said, isInside, cuts) => {
            const written = write(thought, said, isInside);
            const answer = parse(
              formats,
              cutBytes(
                written,
                cuts.sort((a, b) => a - b),
              ),
              isInside,
            );
            expect(answer).toEqual({ reasoning: thought, text: said, calls: [] });
          },
        ),
        { numRuns: 100 },
      );
    });
  });
}

const THOUGHTS = [
  ["First 1 < 2. Then {x}.", "The answer is 4."],
  ["A line\nand another\n\n- one", "Text\n\nwith lines 😀"],
  ["思考 😀", "答え"],
];
