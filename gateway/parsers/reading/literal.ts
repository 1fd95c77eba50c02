import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/** Receives JSON in pieces. */
export type Write = (json: string) => void;

/** How a language writes the parts of its values. */
export interface Dialect {
  /**
   * Reads a string, if one is next.
   * @param closer what ends the list or object that it is in; undefined outside
   * @returns whether there was one
   */
  string(reader: TextReader, write: Write, closer?: string): Step<boolean>;
  /** Reads the key of an object and the colon after it. */
  key(reader: TextReader, write: Write): Step<void>;
}

/**
 * Reads one value, such as `{'a': [1, None, (True, 2)]}`, and writes it as JSON while it arrives. Lists and tuples become
 * arrays; a comma may follow the last item.
 * @throws Nonsense if it is something else
 */
export function* readLiteral(reader: TextReader, write: Write, dialect: Dialect): Step<void> {
  const frames: Frame[] = [];
  // What is in parentheses is held until it is known whether it is a tuple.
  const emit = (json: string) => {
    const holder = frames.findLast((frame) => frame.held !== undefined);
    if (holder?.held === undefined) write(json);
    else holder.held += json;
  };
  for (;;) {
    yield* reader.skipSpace();
    const first = yield* reader.peek();
    const closer = CLOSERS[first];
    if (closer !== undefined) {
      if (frames.length === MOST_LEVELS) throw new Nonsense("A value has too many levels.");
      reader.skip();
      if (closer !== ")") emit(first);
      frames.push({ closer, held: closer === ")" ? "" : undefined, isEmpty: true });
    } else {
      if (!(yield* dialect.string(reader, emit, frames.at(-1)?.closer))) emit(yield* readWord(reader));
      if (frames.length > 0) frames.at(-1)!.isEmpty = false;
    }
    if (!(yield* readRest(reader, frames, emit, dialect))) return;
  }
}

interface Frame {
  readonly closer: string;
  /** What parentheses contain so far, while there is no comma. */
  held: string | undefined;
  isEmpty: boolean;
}

const MOST_LEVELS = 256;
const CLOSERS: Readonly<Record<string, string | undefined>> = { "{": "}", "[": "]", "(": ")" };

/** Reads what is before the next value, or after the last one. @returns whether another value follows */
function* readRest(reader: TextReader, frames: Frame[], emit: Write, dialect: Dialect): Step<boolean> {
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const { closer, isEmpty } = frame;
    yield* reader.skipSpace();
    let hasComma = false;
    if (!isEmpty && (yield* reader.tryText(","))) {
      hasComma = true;
      if (frame.held !== undefined) {
        const { held } = frame;
        frame.held = undefined;
        emit(`[${held}`);
      }
      yield* reader.skipSpace();
    }
    if (yield* reader.tryText(closer)) {
      frames.pop();
      close(frame, emit);
      if (frames.length > 0) frames.at(-1)!.isEmpty = false;
      continue;
    }
    if (!isEmpty && !hasComma) throw new Nonsense(`Expected , or ${closer}.`);
    if (!isEmpty) emit(",");
    if (closer === "}") yield* dialect.key(reader, emit);
    return true;
  }
  return false;
}

function close({ closer, held, isEmpty }: Frame, emit: Write): void {
  if (closer !== ")") emit(closer);
  else if (held === undefined) emit("]");
  else emit(isEmpty ? "[]" : held);
}

const WORDS = new Map([
  ["True", "true"],
  ["False", "false"],
  ["None", "null"],
  ["true", "true"],
  ["false", "false"],
  ["null", "null"],
]);

/** Reads a constant or a number. @returns it as JSON */
function* readWord(reader: TextReader): Step<string> {
  const word = yield* reader.while(/[\w+.-]/);
  const json = WORDS.get(word) ?? numberOf(word);
  if (json === undefined) throw new Nonsense(`${word} is no value.`);
  return json;
}

/** A number such as `1_000`, `0x1F`, `.5` or `+1`, as JSON; undefined if it is none. */
function numberOf(word: string): string | undefined {
  const plain = word.replace(/(?<=[\da-fA-F])_(?=[\da-fA-F])/g, "");
  const minus = plain.startsWith("-") ? "-" : "";
  const based = /^[-+]?(0(?:[xX][\da-fA-F]+|[oO][0-7]+|[bB][01]+))$/.exec(plain)?.[1];
  if (based !== undefined) return minus + BigInt(based).toString();
  const parts = /^[-+]?(\d*)(?:\.(\d*))?([eE][-+]?\d+)?$/.exec(plain);
  if (parts === null) return undefined;
  const [, whole, fraction, exponent = ""] = parts;
  if (whole === "" && !fraction) return undefined;
  const point = fraction === undefined ? "" : `.${fraction || "0"}`;
  return `${minus}${whole!.replace(/^0+(?=\d)/, "") || "0"}${point}${exponent}`;
}

/** Text as the inside of a JSON string. */
export const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
