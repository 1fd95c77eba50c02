import { complement, type Ranges, union } from "../automata/ranges.ts";
import { DOT } from "./classes.ts";
import { readEscape } from "./escapes.ts";
import { Reader } from "./reader.ts";
import { type Pattern, PatternError } from "./types.ts";

/** Deepest groups, and most repetitions in one quantifier. */
const DEEPEST = 100;
const MOST_REPEATED = 2_000;

/**
 * Reads a regular expression in JavaScript's notation, with the flag `u`; also named groups as Python writes them.
 * @throws PatternError for what is not regular (back references, looking around), and for mistakes
 */
export function parsePattern(source: string): Pattern {
  const reader = new Reader(source);
  const pattern = readChoice(reader, 0);
  if (!reader.isAtEnd) throw new PatternError("has a ')' too many");
  return pattern;
}

function readChoice(reader: Reader, depth: number): Pattern {
  if (depth > DEEPEST) throw new PatternError(`has groups more than ${DEEPEST} deep`);
  const options = [readSequence(reader, depth)];
  while (reader.takeIf("|")) options.push(readSequence(reader, depth));
  return options.length === 1 ? options[0]! : { kind: "choice", options };
}

function readSequence(reader: Reader, depth: number): Pattern {
  const parts: Pattern[] = [];
  while (!reader.isAtEnd && reader.next !== "|" && reader.next !== ")")
    parts.push(readQuantified(reader, readAtom(reader, depth)));
  return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
}

function readAtom(reader: Reader, depth: number): Pattern {
  const character = reader.take();
  switch (character) {
    case "(":
      return readGroup(reader, depth);
    case "[":
      return { kind: "class", ranges: readClass(reader) };
    case ".":
      return { kind: "class", ranges: DOT };
    case "^":
      return { kind: "start" };
    case "$":
      return { kind: "end" };
    case "\\":
      return readAssertion(reader) ?? { kind: "class", ranges: readEscape(reader) };
    case "*":
    case "+":
    case "?":
      throw new PatternError(`has a '${character}' with nothing before it`);
    case "{":
    case "}":
      throw new PatternError(
        `has a '${character}' that is no quantifier; write '\\${character}' for the character`,
      );
    case "]":
      throw new PatternError(
        "has a ']' without a '['; write '\\]' for the character. Classes within classes, such as [[:alpha:]], are not supported",
      );
    default: {
      const code = character.codePointAt(0)!;
      return { kind: "class", ranges: [[code, code]] };
    }
  }
}

/** Python's names for the start and the end. */
function readAssertion(reader: Reader): Pattern | undefined {
  if (reader.takeIf("A")) return { kind: "start" };
  if (reader.takeIf("Z") || reader.takeIf("z")) return { kind: "end" };
  if (reader.next === "b" || reader.next === "B")
    throw new PatternError("has a word boundary, which is not supported");
  return undefined;
}

function readGroup(reader: Reader, depth: number): Pattern {
  if (reader.takeIf("?")) {
    const isPlain = reader.takeIf(":") || reader.takeMatch(/P?<[\p{L}_$][\p{L}\p{N}_$]*>/uy) !== null;
    if (!isPlain)
      throw new PatternError("has a group with '(?' that is not supported: only '(?:' and names are");
  }
  const body = readChoice(reader, depth + 1);
  if (!reader.takeIf(")")) throw new PatternError("has a '(' that is not closed");
  return body;
}

function readQuantified(reader: Reader, body: Pattern): Pattern {
  const bounds = readQuantifier(reader);
  if (bounds === undefined) return body;
  const [least, most] = bounds;
  if (body.kind === "start" || body.kind === "end") throw new PatternError("repeats '^' or '$'");
  if (most < least) throw new PatternError(`repeats at least ${least} and at most ${most} times`);
  const largest = most === Number.POSITIVE_INFINITY ? least : most;
  if (largest > MOST_REPEATED) throw new PatternError(`repeats more than ${MOST_REPEATED} times`);
  // Lazy or greedy: it matches the same texts.
  if (!reader.takeIf("?") && reader.takeIf("+")) throw new PatternError("has a possessive quantifier");
  return { kind: "repeat", body, least, most };
}

function readQuantifier(reader: Reader): [number, number] | undefined {
  if (reader.takeIf("*")) return [0, Number.POSITIVE_INFINITY];
  if (reader.takeIf("+")) return [1, Number.POSITIVE_INFINITY];
  if (reader.takeIf("?")) return [0, 1];
  const match = reader.takeMatch(/\{(\d+)(?:(,)(\d*))?\}/y);
  if (match === null) return undefined;
  const least = Number(match[1]);
  if (match[2] === undefined) return [least, least];
  return [least, match[3] === "" ? Number.POSITIVE_INFINITY : Number(match[3])];
}

/** Reads a class after its `[`. */
function readClass(reader: Reader): Ranges {
  const isNegated = reader.takeIf("^");
  let ranges: Ranges = [];
  while (!reader.takeIf("]")) {
    const first = readMember(reader);
    const isRange = reader.takeMatch(/-(?!\])/y) !== null;
    if (!isRange) {
      ranges = union(ranges, first);
      continue;
    }
    const last = readMember(reader);
    const [low, high] = [single(first), single(last)];
    if (low === undefined || high === undefined) ranges = union(ranges, first, [[45, 45]], last);
    else if (low > high) throw new PatternError("has a range in a class that runs backwards");
    else ranges = union(ranges, [[low, high]]);
  }
  return isNegated ? complement(ranges) : ranges;
}

function readMember(reader: Reader): Ranges {
  if (reader.isAtEnd) throw new PatternError("has a '[' that is not closed");
  if (reader.takeIf("\\")) return reader.takeIf("b") ? [[8, 8]] : readEscape(reader);
  const code = reader.take().codePointAt(0)!;
  return [[code, code]];
}

/** The only character of a set. */
const single = (ranges: Ranges): number | undefined =>
  ranges.length === 1 && ranges[0]![0] === ranges[0]![1] ? ranges[0]![0] : undefined;
