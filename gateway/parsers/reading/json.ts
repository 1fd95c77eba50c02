import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/**
 * Reads one JSON value (RFC 8259). Two faults that models often make in strings are corrected in what is copied: line
 * ends that are not escaped, and backslashes that escape nothing.
 * @throws Nonsense if it is not JSON
 */
export function* readJson(reader: TextReader): Step<void> {
  const closers: string[] = [];
  for (;;) {
    yield* reader.skipSpace();
    const first = yield* reader.peek();
    if (first === "{" || first === "[") {
      reader.skip();
      yield* reader.skipSpace();
      const closer = first === "{" ? "}" : "]";
      if ((yield* reader.peek()) !== closer) {
        closers.push(closer);
        if (closer === "}") yield* readKey(reader);
        continue;
      }
      reader.skip();
    } else yield* readScalar(reader, first);
    if (!(yield* readClosers(reader, closers))) return;
  }
}

/** Reads what follows a value. @returns whether another one follows in the same list or object */
function* readClosers(reader: TextReader, closers: string[]): Step<boolean> {
  for (let closer = closers.at(-1); closer !== undefined; closer = closers.at(-1)) {
    yield* reader.skipSpace();
    const next = yield* reader.peek();
    if (next === ",") {
      reader.skip();
      if (closer === "}") yield* readKey(reader);
      return true;
    }
    if (next !== closer) throw new Nonsense(`Expected , or ${closer}.`);
    reader.skip();
    closers.pop();
  }
  return false;
}

function* readKey(reader: TextReader): Step<void> {
  yield* reader.skipSpace();
  yield* readString(reader);
  yield* reader.skipSpace();
  yield* reader.expect(":");
}

function* readScalar(reader: TextReader, first: string): Step<void> {
  if (first === '"') yield* readString(reader);
  else if (first === "t") yield* reader.expect("true");
  else if (first === "f") yield* reader.expect("false");
  else if (first === "n") yield* reader.expect("null");
  else if (!NUMBER.test(yield* reader.while(/[-+.\deE]/))) throw new Nonsense("Expected a JSON value.");
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** Reads a JSON string. @throws Nonsense if it is not one */
function* readString(reader: TextReader): Step<void> {
  yield* reader.expect('"');
  for (;;) {
    const special = yield* reader.pastPlainCharacters();
    if (special === "") throw new Nonsense("A string has no end.");
    if (special === '"') {
      reader.skip();
      return;
    }
    if (special === "\\") yield* readEscape(reader);
    else reader.replace(1, JSON.stringify(special).slice(1, -1));
  }
}

function* readEscape(reader: TextReader): Step<void> {
  const escaped = yield* reader.peek(1);
  if (escaped === "u") {
    for (let digit = 2; digit < 6; digit++) {
      if (/[\da-fA-F]/.test(yield* reader.peek(digit))) continue;
      reader.replace(1, "\\\\");
      return;
    }
    reader.skip(6);
  } else if (escaped === "'") reader.replace(2, "'");
  else if (escaped !== "" && '"\\/bfnrt'.includes(escaped)) reader.skip(2);
  else reader.replace(1, "\\\\");
}

/** Reads a JSON string and decodes it. @throws Nonsense if it is not one */
export function* readStringValue(reader: TextReader): Step<string> {
  let json = "";
  reader.startCopy((text) => {
    json += text;
  });
  yield* readString(reader);
  reader.stopCopy();
  return JSON.parse(json);
}
