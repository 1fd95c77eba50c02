import type { Characters } from "./writable.ts";

/** A part of a rule of a grammar. */
export type Part =
  /** One of these characters or, if `isNegated`, one of all others. */
  | { readonly kind: "character"; readonly ranges: Characters; readonly isNegated: boolean }
  | { readonly kind: "rule"; readonly name: string }
  | { readonly kind: "group"; readonly alternatives: Alternatives }
  /** `most` can be infinite. */
  | { readonly kind: "repeat"; readonly part: Part; readonly least: number; readonly most: number };

/** Sequences of parts, one of which must match. */
export type Alternatives = readonly (readonly Part[])[];

/** Why a grammar cannot be used: a sentence. */
export class GrammarError extends Error {}

/** Deepest groups: llama.cpp reads them recursively, and overflows its stack. */
const DEEPEST = 100;
const MOST_QUANTIFIERS = 3;

/**
 * Reads a grammar in GBNF.
 * @throws GrammarError for what llama.cpp does not understand, and for references to tokens
 */
export function parseGbnf(source: string): ReadonlyMap<string, Alternatives> {
  const reader = new Reader(source);
  const rules = new Map<string, Alternatives>();
  reader.skip(true);
  while (!reader.isAtEnd) {
    const name = reader.expect(/[A-Za-z0-9-]+/y, "the name of a rule");
    reader.skip(false);
    reader.expect(/::=/y, "'::='");
    reader.skip(true);
    rules.set(name, readAlternatives(reader, 0));
    if (!reader.isAtEnd) reader.expect(/\r\n?|\n/y, "the end of the line");
    reader.skip(true);
  }
  return rules;
}

function readAlternatives(reader: Reader, depth: number): Alternatives {
  if (depth > DEEPEST) throw new GrammarError(`Its groups are more than ${DEEPEST} deep.`);
  const alternatives = [readSequence(reader, depth)];
  while (reader.take(/\|/y) !== undefined) {
    reader.skip(true);
    alternatives.push(readSequence(reader, depth));
  }
  return alternatives;
}

function readSequence(reader: Reader, depth: number): readonly Part[] {
  const parts: Part[] = [];
  for (;;) {
    // A quantifier applies to all of a text, not to its last character.
    const part = readPart(reader, depth);
    if (part === undefined) return parts;
    reader.skip(depth > 0);
    let quantified = part;
    let quantifiers = 0;
    for (let bounds = readBounds(reader, depth); bounds !== undefined; bounds = readBounds(reader, depth)) {
      if (++quantifiers > MOST_QUANTIFIERS) throw new GrammarError("It has too many quantifiers in a row.");
      quantified = { kind: "repeat", part: quantified, ...bounds };
    }
    parts.push(quantified);
  }
}

function readPart(reader: Reader, depth: number): Part | undefined {
  if (reader.take(/"/y) !== undefined) return readText(reader);
  if (reader.take(/\[/y) !== undefined) return readClass(reader);
  if (reader.take(/\./y) !== undefined) return { kind: "character", ranges: [], isNegated: true };
  if (reader.take(/\(/y) !== undefined) {
    reader.skip(true);
    const alternatives = readAlternatives(reader, depth + 1);
    reader.expect(/\)/y, "')'");
    return { kind: "group", alternatives };
  }
  if (reader.take(/!?</y) !== undefined)
    throw new GrammarError("It refers to tokens (<…>), which is not supported. Write their text.");
  const name = reader.take(/[A-Za-z0-9-]+/y);
  return name === undefined ? undefined : { kind: "rule", name };
}

function readText(reader: Reader): Part {
  const parts: Part[] = [];
  while (reader.take(/"/y) === undefined) {
    const code = reader.character();
    parts.push({ kind: "character", ranges: [[code, code]], isNegated: false });
  }
  return { kind: "group", alternatives: [parts] };
}

/** llama.cpp takes `[]` and `[^]` for an empty text. */
function readClass(reader: Reader): Part {
  const isNegated = reader.take(/\^/y) !== undefined;
  const ranges: [number, number][] = [];
  while (reader.take(/\]/y) === undefined) {
    const first = reader.character();
    ranges.push([first, reader.take(/-(?!\])/y) === undefined ? first : reader.character()]);
  }
  return ranges.length === 0
    ? { kind: "group", alternatives: [[]] }
    : { kind: "character", ranges, isNegated };
}

function readBounds(reader: Reader, depth: number): { least: number; most: number } | undefined {
  const bounds = boundsOf(reader);
  if (bounds !== undefined) reader.skip(depth > 0);
  return bounds;
}

function boundsOf(reader: Reader): { least: number; most: number } | undefined {
  if (reader.take(/\*/y) !== undefined) return { least: 0, most: Number.POSITIVE_INFINITY };
  if (reader.take(/\+/y) !== undefined) return { least: 1, most: Number.POSITIVE_INFINITY };
  if (reader.take(/\?/y) !== undefined) return { least: 0, most: 1 };
  if (reader.take(/\{/y) === undefined) return undefined;
  const text = reader.expect(/\s*\d+\s*(,\s*\d*\s*)?\}/y, "numbers and '}'");
  const [least = "", most] = text
    .slice(0, -1)
    .split(",")
    .map((each) => each.trim());
  return {
    least: Number(least),
    most: most === undefined ? Number(least) : most === "" ? Number.POSITIVE_INFINITY : Number(most),
  };
}

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  /** Skips blanks and comments. */
  skip(hasLines: boolean): void {
    this.take(hasLines ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /(?:[ \t]|#[^\r\n]*)*/y);
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    this.#at += match?.[0].length ?? 0;
    return match?.[0];
  }

  expect(pattern: RegExp, what: string): string {
    const text = this.take(pattern);
    if (text !== undefined) return text;
    const line = this.#source.slice(0, this.#at).split("\n").length;
    throw new GrammarError(
      `Line ${line} of it needs ${what} before '${this.#source.slice(this.#at, this.#at + 20)}'.`,
    );
  }

  /** A character of a text or a class. */
  character(): number {
    const escaped = this.take(/\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[trn\\"[\]-])/y);
    if (escaped === undefined)
      return this.expect(/[^\\]/uy, "a known escape, or a closing quote or bracket").codePointAt(0)!;
    const letter = escaped[1]!;
    if (/[xuU]/.test(letter)) return Number.parseInt(escaped.slice(2), 16);
    return ({ t: "\t", r: "\r", n: "\n" }[letter] ?? letter).charCodeAt(0);
  }
}
