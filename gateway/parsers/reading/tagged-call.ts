import type { CallSink, Tools } from "../types.ts";
import { argumentNames, type JsonType } from "./schema.ts";
import { TaggedArguments } from "./tagged-arguments.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/** How a format writes calls whose arguments are between tags, for example of Qwen3-Coder. */
export interface TagSyntax {
  /** `<function=` */
  readonly begin: string;
  /** `>`, after a function's name and an argument's. */
  readonly nameEnd: string;
  /** `</function>` */
  readonly end: string;
  /** `<parameter=` */
  readonly argument: string;
  /** `</parameter`, without its last character: the model misspells what comes then. */
  readonly argumentEnd: string;
  /** Tags that may follow a call. */
  readonly after: readonly string[];
  /** Whether values are on lines of their own. */
  readonly hasLines?: boolean;
  /** Whether no value contains its tags. */
  readonly isUnmistakable?: boolean;
}

/**
 * Reads a call from after its name, such as `<parameter=k>v</parameter></function>`. An argument may say itself whether
 * it is a string: `<parameter name="k" string="true">`.
 * @throws Nonsense if it is something else, after the call has begun
 */
export function* readTaggedCall(
  reader: TextReader,
  calls: CallSink,
  tools: Tools,
  name: string,
  syntax: TagSyntax,
): Step<void> {
  const written = new TaggedArguments(calls, tools, name);
  const tags = [syntax.argument, syntax.end, syntax.begin, syntax.argumentEnd];
  // A value ends before the line end that precedes the next tag, if it has no end of its own.
  const markers = [...tags, ...tags.slice(0, syntax.hasLines ? 4 : 3).map((tag) => `\n${tag}`)];
  yield* reader.skipSpace();
  while (yield* reader.tryText(syntax.argument)) {
    const { key, types } = readAttributes((yield* reader.textPast([syntax.nameEnd])).text);
    // One line end on each side is not part of the value.
    if (syntax.hasLines) yield* reader.tryText("\n");
    const end = new ValueEnd(reader, syntax, argumentNames(tools, name));
    yield* written.read(reader, key, markers, { isEnd: (marker) => end.isAt(marker), types });
    reader.skip(end.length);
    yield* reader.skipSpace();
  }
  if (!(yield* reader.tryText(syntax.end)) && !(yield* reader.following(syntax.after)))
    throw new Nonsense(`Expected ${syntax.end}.`);
  written.end();
}

/** More characters than a tag that ends a value has after its beginning. */
const MOST_CHARACTERS = 24;

/**
 * Finds out which tag ends a value. Nothing is escaped, so values may contain tags, and models forget to end arguments:
 * what comes after a tag decides.
 */
class ValueEnd {
  /** How many characters the tag has that ends the value. None, if what follows ends it. */
  length = 0;
  readonly #reader: TextReader;
  readonly #syntax: TagSyntax;
  readonly #next: readonly string[];
  /** How many calls begin within the value, and have not ended. */
  #inner = 0;

  constructor(reader: TextReader, syntax: TagSyntax, keys: readonly string[]) {
    this.#reader = reader;
    this.#syntax = syntax;
    this.#next = syntax.isUnmistakable ? [syntax.argument] : keys.map((key) => syntax.argument + key);
  }

  *isAt(marker: string): Step<boolean> {
    const { begin, end, argument, argumentEnd, after } = this.#syntax;
    const tag = marker.trimStart();
    if (tag === argumentEnd) {
      const length = yield* this.#tagLength(marker.length);
      if ((yield* this.#reader.following([argument, end, ...after], length)) === undefined) return false;
      this.length = length;
      return true;
    }
    if (tag === argument) return this.#inner === 0 && Boolean(yield* this.#reader.following(this.#next));
    if (tag === begin) this.#inner++;
    else if (this.#inner > 0) this.#inner--;
    else return (yield* this.#reader.following([...after, begin], marker.length)) !== undefined;
    return false;
  }

  *#tagLength(from: number): Step<number> {
    for (let at = from; at < from + MOST_CHARACTERS; at++) {
      const next = yield* this.#reader.peek(at);
      if (next === ">") return at + 1;
      if (next === "" || /[\s<]/.test(next)) return at;
    }
    return from;
  }
}

const STRING: ReadonlySet<JsonType> = new Set(["string"]);
const NO_STRING: ReadonlySet<JsonType> = new Set(["number", "boolean", "null", "object", "array"]);

/** @param text such as `k` or `k" string="true` */
function readAttributes(text: string): {
  readonly key: string;
  readonly types?: ReadonlySet<JsonType> | undefined;
} {
  const [first = "", string] = text.split(/"\s+string="/);
  const key = first.trim();
  if (key === "" || /[\s<]/.test(key)) throw new Nonsense("Expected an argument's name.");
  return { key, types: string === undefined ? undefined : string === "true" ? STRING : NO_STRING };
}
