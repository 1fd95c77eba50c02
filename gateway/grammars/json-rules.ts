import { charactersOf, complement, difference, type Ranges, union } from "./automata/ranges.ts";
import type { Alphabet } from "./gbnf/automaton-rules.ts";
import { type Item, oneOf, type Rules, repeat, rule, type Sequence, text } from "./gbnf/rules.ts";

/** Most blanks at the start of a line. Without a bound, a small model can write blanks for ever. */
const DEEPEST_INDENT = 24;

/**
 * Most digits before and after the point: any double as JavaScript writes it, but no endless number. From 1e-6 up to 1e21
 * it writes no exponent, so five zeros can precede a double's 17 digits (ECMA-262, Number::toString).
 */
const MOST_DIGITS = 21;
const MOST_DECIMALS = 22;

const CONTROLS: Ranges = [[0, 0x1f]];
const ESCAPED = union(CONTROLS, charactersOf('"\\'));
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};
const HEXADECIMAL = charactersOf("0123456789abcdefABCDEF");
const DIGIT = charactersOf("0123456789");

/** Rules for what all JSON has in common. Each is added at its first use. */
export class JsonRules {
  readonly rules: Rules;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /** Nothing, a space, or a new line with its indent. */
  get blank(): Item {
    return this.#share("blank", () => [
      [],
      [text(" ")],
      [text("\n"), repeat(this.#indent, 0, DEEPEST_INDENT)],
    ]);
  }

  /** What may follow a colon. */
  get space(): Item {
    return this.#share("space", () => [[], [text(" ")]]);
  }

  get string(): Item {
    return this.#share("string", () => [this.stringOf(repeat(this.character, 0, Number.POSITIVE_INFINITY))]);
  }

  get integer(): Item {
    return this.#share("integer", () => [
      [text("0")],
      ...this.#signed([oneOf(charactersOf("123456789")), repeat(this.#digit, 0, MOST_DIGITS - 1)]),
    ]);
  }

  get number(): Item {
    const fraction = () =>
      this.#share("fraction", () => [[], [text("."), repeat(this.#digit, 1, MOST_DECIMALS)]]);
    const whole = () =>
      this.#share("whole", () => [
        [text("0")],
        [oneOf(charactersOf("123456789")), repeat(this.#digit, 0, MOST_DIGITS - 1)],
      ]);
    return this.#share("number", () => [
      ...this.#signed([whole(), fraction()]),
      ...this.#signed([oneOf(DIGIT), fraction(), oneOf(charactersOf("eE")), this.#exponent]),
    ]);
  }

  get boolean(): Item {
    return this.#share("boolean", () => [[text("true")], [text("false")]]);
  }

  get value(): Item {
    return this.#share("value", () => [
      [this.object],
      [this.array],
      [this.string],
      [this.number],
      [this.boolean],
      [text("null")],
    ]);
  }

  get object(): Item {
    return this.#share("object", () => {
      const member = this.rules.add("member", [[this.string, text(":"), this.space, this.value]]);
      return this.list("{", rule(member), "}");
    });
  }

  get array(): Item {
    return this.#share("array", () => this.list("[", this.value, "]"));
  }

  /** Any number of items between brackets. */
  list(open: string, item: Item, close: string): readonly Sequence[] {
    const more = this.rules.add("more", [[text(","), this.blank, item]]);
    return [
      [text(open), this.blank, text(close)],
      [text(open), this.blank, item, repeat(more, 0, Number.POSITIVE_INFINITY), this.blank, text(close)],
    ];
  }

  /** The name of the rule for one character of a string, in any way that JSON can write it. */
  get character(): string {
    return this.rules.share("character", "character", () => {
      const hex = oneOf(HEXADECIMAL);
      const surrogate = (second: string) => [
        oneOf(charactersOf("dD")),
        oneOf(charactersOf(second)),
        hex,
        hex,
      ];
      return [
        [oneOf(complement(ESCAPED))],
        [text("\\"), oneOf(charactersOf('"\\/bfnrt'))],
        [text("\\u"), oneOf(difference(HEXADECIMAL, charactersOf("dD"))), hex, hex, hex],
        [text("\\u"), ...surrogate("01234567")],
        [text("\\u"), ...surrogate("89abAB"), text("\\u"), ...surrogate("cdefCDEF")],
      ];
    });
  }

  stringOf(content: Item): Sequence {
    return [text('"'), content, text('"')];
  }

  /** A value as it is, with blanks where JSON allows them. */
  constant(value: unknown): Sequence {
    if (Array.isArray(value))
      return this.#constants(
        "[",
        value.map((each) => this.constant(each)),
        "]",
      );
    if (typeof value === "object" && value !== null)
      return this.#constants(
        "{",
        Object.entries(value).map(([key, each]) => [...this.key(key), ...this.constant(each)]),
        "}",
      );
    return [text(JSON.stringify(value) ?? "null")];
  }

  /** A key of an object, and its colon. */
  key(name: string): Sequence {
    return [text(`${JSON.stringify(name)}:`), this.space];
  }

  #constants(open: string, parts: readonly Sequence[], close: string): Sequence {
    const separated = parts.flatMap((part, index) => (index === 0 ? part : [text(","), this.blank, ...part]));
    return [text(open), this.blank, ...separated, ...(parts.length === 0 ? [] : [this.blank]), text(close)];
  }

  #signed(digits: Sequence): readonly Sequence[] {
    return [digits, [text("-"), ...digits]];
  }

  /** Up to 307, because a larger one can exceed the largest double. */
  get #exponent(): Item {
    const digit = oneOf(DIGIT);
    const short = [[digit], [oneOf(charactersOf("123456789")), digit]];
    const sign = this.#share("sign", () => [[], [text("+")]]);
    return this.#share("exponent", () => [
      ...[...short, [oneOf(charactersOf("12")), digit, digit]].map((digits) => [sign, ...digits]),
      [sign, text("30"), oneOf(charactersOf("01234567"))],
      ...[...short, [oneOf(charactersOf("123")), digit, digit]].map((digits) => [text("-"), ...digits]),
    ]);
  }

  get #digit(): string {
    return this.rules.share("digit", "digit", () => [[oneOf(DIGIT)]]);
  }

  get #indent(): string {
    return this.rules.share("indent", "indent", () => [[oneOf(charactersOf(" \t"))]]);
  }

  #share(name: string, define: () => readonly Sequence[]): Item {
    return rule(this.rules.share(name, name, define));
  }
}

/** Characters inside a JSON string, each written as `JSON.stringify` does. */
export const inString: Alphabet = (characters) => {
  const raw = difference(characters, ESCAPED);
  const among = (character: string) =>
    characters.some(([first, last]) => first <= character.charCodeAt(0) && character.charCodeAt(0) <= last);
  const short = Object.entries(SHORT_ESCAPES).filter(([character]) => among(character));
  const long = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).filter(
    (character) => among(character) && !Object.hasOwn(SHORT_ESCAPES, character),
  );
  return [
    ...(raw.length === 0 ? [] : [[oneOf(raw)]]),
    ...(short.length === 0
      ? []
      : [[text("\\"), oneOf(charactersOf(short.map(([, letter]) => letter).join("")))]]),
    ...long.map((character) => [text(JSON.stringify(character).slice(1, -1))]),
  ];
};
