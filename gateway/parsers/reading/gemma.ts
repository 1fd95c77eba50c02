import { type Dialect, escaped, readLiteral, type Write } from "./literal.ts";
import { PYTHON } from "./python.ts";
import type { Step, TextReader } from "./text-reader.ts";

/**
 * Gemma's values: as JSON, but strings are between two delimiters, with nothing escaped, and keys are bare. The models
 * also quote strings as JSON and Python do, and forget delimiters.
 */
export const gemmaDialect = (delimiter: string): Dialect => ({
  *string(reader, write, closer) {
    if (yield* reader.tryText(delimiter)) {
      yield* readDelimited(reader, write, delimiter);
      return true;
    }
    if (yield* PYTHON.string(reader, write)) return true;
    if (yield* isWord(reader)) return false;
    yield* readBare(reader, write, delimiter, closer);
    return true;
  },
  *key(reader, write) {
    const isDelimited = yield* reader.tryText(delimiter);
    if (isDelimited) yield* readDelimited(reader, write, delimiter, true);
    else if (!(yield* PYTHON.string(reader, write)))
      write(JSON.stringify((yield* reader.while(/[^:={}[\],"']/)).trim()));
    yield* reader.skipSpace();
    if (!(yield* reader.tryText("="))) yield* reader.expect(":");
    write(":");
  },
});

/** Reads `(k=v)`, as the model sometimes writes instead of `{k:v}`. */
export function* readParenthesised(reader: TextReader, write: Write, dialect: Dialect): Step<void> {
  yield* reader.expect("(");
  yield* reader.skipSpace();
  let separator = "{";
  while (!(yield* reader.tryText(")"))) {
    write(separator);
    separator = ",";
    yield* dialect.key(reader, write);
    yield* readLiteral(reader, write, dialect);
    yield* reader.skipSpace();
    if ((yield* reader.peek()) !== ")") yield* reader.expect(",");
    yield* reader.skipSpace();
  }
  write(separator === "{" ? "{}" : "}");
}

/**
 * Reads a string from after its first delimiter. If the second one is missing, the string ends before the next key,
 * unless it is a key itself.
 */
function* readDelimited(reader: TextReader, write: Write, delimiter: string, isKey = false): Step<void> {
  write('"');
  for (;;) {
    const marker = yield* reader.upTo([delimiter, ","], (text) => write(escaped(text)));
    if (marker === undefined) yield* reader.expect(delimiter);
    if (marker === delimiter) {
      reader.skip(delimiter.length);
      break;
    }
    const at = isKey ? 0 : yield* keyLength(reader);
    if (
      at > 0 &&
      (yield* reader.following([delimiter], at)) &&
      !(yield* isClosed(reader, at + delimiter.length))
    )
      break;
    write(",");
    reader.skip();
  }
  write('"');
}

/** Reads a string without a first delimiter, and perhaps without a second one. */
function* readBare(reader: TextReader, write: Write, delimiter: string, closer?: string): Step<void> {
  write('"');
  for (;;) {
    const marker = yield* reader.upTo([delimiter, ",", "}", "]"], (text) => write(escaped(text)));
    if (marker === undefined) yield* reader.expect(delimiter);
    if (marker === delimiter) {
      reader.skip(delimiter.length);
      break;
    }
    if (marker === closer || (marker === "," && (closer === "]" || (yield* keyLength(reader)) > 0))) break;
    write(marker!);
    reader.skip();
  }
  write('"');
}

/** Whether a number or a constant is next. */
function* isWord(reader: TextReader): Step<boolean> {
  let word = "";
  for (let next = yield* reader.peek(); /[\w+.-]/.test(next); next = yield* reader.peek(word.length)) {
    word += next;
    if (word.length > MOST_CHARACTERS) return false;
  }
  if (!/^(?:[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[Tt]rue|[Ff]alse|None|null)$/.test(word))
    return false;
  return yield* isClosed(reader, word.length);
}

const MOST_CHARACTERS = 64;

/** How long a comma, a key and its colon are, if they are next; 0 if they are not. */
function* keyLength(reader: TextReader): Step<number> {
  let text = yield* reader.peek();
  for (let next = yield* reader.peek(1); /[\w\s.-]/.test(next); next = yield* reader.peek(text.length)) {
    text += next;
    if (text.length > MOST_CHARACTERS) return 0;
  }
  return /^,\s*[\w.-]+\s*$/.test(text) && /[:=]/.test(yield* reader.peek(text.length)) ? text.length + 1 : 0;
}

/** Whether a value ends here. */
function* isClosed(reader: TextReader, offset: number): Step<boolean> {
  return (yield* reader.following([",", "}", "]"], offset)) !== undefined;
}
