import { readJson } from "./json.ts";
import { escaped, readLiteral, type Write } from "./literal.ts";
import { PYTHON } from "./python.ts";
import { type JsonType, typeOf } from "./schema.ts";
import { Nonsense, type Step, TextReader } from "./text-reader.ts";

/**
 * Writes a value as JSON that a model has written without quotes, so that only its type tells a string from others.
 * Strings are passed on as they arrive; other values are held until they are complete.
 */
export class ValueWriter {
  readonly #write: Write;
  readonly #types: ReadonlySet<JsonType>;
  #held = "";
  #isString = false;
  /** Whether a bracket has begun it, so that only its end tells what it is. */
  #isBracketed = false;

  /** @param types what the value may be */
  constructor(write: Write, types: ReadonlySet<JsonType>) {
    this.#write = write;
    this.#types = types;
  }

  push(text: string): void {
    if (this.#isString) {
      this.#write(escaped(text));
      return;
    }
    this.#held += text;
    if (!this.#types.has("string") || this.#isBracketed) return;
    if (mayBeOther(this.#held, this.#types)) {
      this.#isBracketed = /^\s*[[{(]/.test(this.#held);
      return;
    }
    this.#isString = true;
    this.#write(`"${escaped(this.#held)}`);
  }

  /** The value is complete. */
  end(): void {
    this.#write(this.#isString ? '"' : jsonOf(this.#held, this.#types));
  }

  /** The value will never be complete: passes on what is held. */
  breakOff(): void {
    if (!this.#isString) this.#write(this.#held);
  }
}

/** What a text may be that begins like a value, by its type. */
const BEGINNINGS: readonly (readonly [JsonType, RegExp])[] = [
  ["object", /^\s*(?:\{|$)/],
  ["array", /^\s*(?:[[(]|$)/],
  ["number", /^\s*[-+]?[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d*)?\s*$/],
  ["boolean", /^\s*(?:[Tt](?:r(?:ue?)?)?|[Ff](?:a(?:l(?:se?)?)?)?)?\s*$/],
  ["null", /^\s*(?:n(?:u(?:ll?)?)?|N(?:o(?:ne?)?)?)?\s*$/],
];

/** More characters than numbers and constants have. */
const MOST_CHARACTERS = 128;

/** Whether a text that has not ended may be something else than a string. */
const mayBeOther = (text: string, types: ReadonlySet<JsonType>): boolean =>
  BEGINNINGS.some(
    ([type, beginning]) =>
      types.has(type) &&
      (type === "object" || type === "array" || text.length <= MOST_CHARACTERS) &&
      beginning.test(text),
  );

/** A value as JSON: as it was if it is JSON, translated if it is of Python, and otherwise a string. */
function jsonOf(text: string, types: ReadonlySet<JsonType>): string {
  const json = translated(text, readJsonText) ?? translated(text, readPythonText);
  if (json === undefined) return JSON.stringify(text);
  // A value of a wrong type is better than none, but not where a string is right.
  return types.has("string") && !types.has(typeOf(JSON.parse(json))) ? JSON.stringify(text) : json;
}

/** @returns undefined if the whole text is no such value */
function translated(
  text: string,
  read: (reader: TextReader, write: Write) => Step<void>,
): string | undefined {
  const reader = new TextReader();
  reader.feed(text.trim());
  reader.close();
  let json = "";
  const steps = read(reader, (piece) => {
    json += piece;
  });
  try {
    while (!steps.next().done);
  } catch (error) {
    if (error instanceof Nonsense) return undefined;
    throw error;
  }
  return reader.takeRest() === "" ? json : undefined;
}

function* readJsonText(reader: TextReader, write: Write): Step<void> {
  reader.startCopy(write);
  yield* readJson(reader);
  reader.stopCopy();
}

function* readPythonText(reader: TextReader, write: Write): Step<void> {
  yield* readLiteral(reader, write, PYTHON);
}
