import type { CallSink, Tools } from "../types.ts";
import { type Dialect, escaped, readLiteral, type Write } from "./literal.ts";
import { declaredName } from "./names.ts";
import { argumentNames } from "./schema.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/**
 * Strings and keys of Python (https://docs.python.org/3/reference/lexical_analysis.html). Strings may contain line ends
 * that are not escaped, which models often write.
 */
export const PYTHON: Dialect = {
  *string(reader, write) {
    if (!isQuote(yield* reader.peek())) return false;
    write('"');
    // Neighbouring strings are one string.
    for (; isQuote(yield* reader.peek()); yield* reader.skipSpace()) yield* readPiece(reader, write);
    write('"');
    return true;
  },
  *key(reader, write) {
    if (!(yield* PYTHON.string(reader, write))) {
      const key = yield* reader.while(/[^\s:,"'{}[\]()]/);
      if (key === "") throw new Nonsense("Expected a key.");
      write(JSON.stringify(key));
    }
    yield* reader.skipSpace();
    yield* reader.expect(":");
    write(":");
  },
};

const isQuote = (character: string) => character === '"' || character === "'";

/** Which functions may be called. */
export interface Callable {
  readonly tools: Tools;
  /** Whether others are calls too. */
  readonly others: boolean;
}

/**
 * Reads `[f(k="v"), g()]`, or such calls without brackets.
 * @throws Nonsense if it is something else
 */
export function* readPythonCalls(
  reader: TextReader,
  calls: CallSink,
  { tools, others }: Callable,
): Step<void> {
  const isList = yield* reader.tryText("[");
  do {
    yield* reader.skipSpace();
    const name = yield* reader.while(/[\p{L}\p{N}_.-]/u);
    if (name === "") throw new Nonsense("Expected a call.");
    if (!others) declaredName(name, tools);
    yield* reader.skipSpace();
    yield* reader.expect("(");
    yield* readArguments(reader, calls, argumentNames(tools, name), () => calls.begin(name));
    yield* reader.skipSpace();
  } while ((yield* reader.tryText(",")) || (!isList && (yield* reader.tryText(";"))));
  // The last bracket may be missing.
  if (isList) yield* reader.tryText("]");
}

/**
 * Reads the arguments of a call, such as `"Paris", days=3)`, from after its parenthesis, and ends the call.
 * @param names of the function's parameters, for arguments without a name
 */
export function* readArguments(
  reader: TextReader,
  calls: CallSink,
  names: readonly string[],
  begin: () => void,
): Step<void> {
  const write = (json: string) => calls.arguments(json);
  let position = 0;
  let separator = "{";
  for (;;) {
    yield* reader.skipSpace();
    if (yield* reader.tryText(")")) break;
    const name = (yield* readKeyword(reader)) ?? names[position++];
    if (name === undefined) throw new Nonsense("Expected a keyword argument.");
    if (separator === "{") begin();
    write(`${separator}${JSON.stringify(name)}:`);
    separator = ",";
    yield* readLiteral(reader, write, PYTHON);
    yield* reader.skipSpace();
    if (yield* reader.tryText(",")) continue;
    yield* reader.expect(")");
    break;
  }
  if (separator === "{") begin();
  write(separator === "{" ? "{}" : "}");
  calls.end();
}

/** Reads `name=`. @returns undefined if something else is there, which stays unread */
function* readKeyword(reader: TextReader): Step<string | undefined> {
  let name = "";
  let at = 0;
  for (let next = yield* reader.peek(); /[\p{L}\p{N}_]/u.test(next); next = yield* reader.peek(++at))
    name += next;
  while (/\s/.test(yield* reader.peek(at))) at++;
  if (name === "" || (yield* reader.peek(at)) !== "=") return undefined;
  reader.skip(at + 1);
  yield* reader.skipSpace();
  if ((yield* reader.peek()) === "=") throw new Nonsense("Expected an argument.");
  return name;
}

/** Reads one literal between quotes. */
function* readPiece(reader: TextReader, write: Write): Step<void> {
  const quote = yield* reader.peek();
  const triple = quote.repeat(3);
  const isTriple = yield* reader.tryText(triple);
  if (!isTriple) reader.skip();
  const end = isTriple ? triple : quote;
  for (;;) {
    const marker = yield* reader.past([end, "\\"], (text) => write(escaped(text)));
    if (marker === undefined) throw new Nonsense("A string has no end.");
    if (marker === end) return;
    write(escaped(yield* readEscape(reader)));
  }
}

const ESCAPES: Readonly<Record<string, string | undefined>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const DIGITS: Readonly<Record<string, number | undefined>> = { x: 2, u: 4, U: 8 };

/** Reads what follows a backslash. @returns what it stands for */
function* readEscape(reader: TextReader): Step<string> {
  const first = yield* reader.peek();
  const simple = ESCAPES[first];
  if (simple !== undefined) {
    reader.skip();
    return simple;
  }
  if (/[0-7]/.test(first)) {
    let code = "";
    for (let next = first; code.length < 3 && /[0-7]/.test(next); next = yield* reader.peek()) {
      code += next;
      reader.skip();
    }
    return String.fromCharCode(Number.parseInt(code, 8));
  }
  const count = DIGITS[first] ?? 0;
  let code = "";
  for (let at = 1; at <= count; at++) code += yield* reader.peek(at);
  const point = Number.parseInt(code, 16);
  // As Python does, a backslash that escapes nothing is kept.
  if (code.length !== count || !/^[\da-fA-F]+$/.test(code) || point > 0x10ffff) return "\\";
  reader.skip(1 + count);
  // A half of a pair may be escaped alone, and its other half after it.
  return point > 0xffff ? String.fromCodePoint(point) : String.fromCharCode(point);
}
