import type { CallSink, Tools } from "../types.ts";
import { functionName } from "./names.ts";
import type { JsonType } from "./schema.ts";
import { TaggedArguments } from "./tagged-arguments.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/**
 * Reads `<invoke name="f"><parameter name="k">v</parameter></invoke>`, from after `<invoke name="`, and such calls that
 * follow it. A parameter may say itself whether it is a string: `<parameter name="k" string="true">`.
 * @param prefix what precedes the names of tags
 * @throws Nonsense if it is something else
 */
export function* readInvokes(reader: TextReader, calls: CallSink, tools: Tools, prefix = ""): Step<void> {
  do {
    const name = functionName((yield* reader.textPast(['">'])).text);
    const written = new TaggedArguments(calls, tools, name);
    const begin = `<${prefix}parameter name="`;
    const end = `</${prefix}parameter>`;
    // A value may contain the tag that ends it, but hardly what comes next.
    const isEnd = function* (): Step<boolean> {
      return (yield* reader.following([begin, `</${prefix}invoke>`], end.length)) !== undefined;
    };
    yield* reader.skipSpace();
    while (yield* reader.tryText(begin)) {
      const { key, types } = readAttributes((yield* reader.textPast(['">'])).text);
      yield* written.read(reader, key, [end], { isEnd, types });
      reader.skip(end.length);
      yield* reader.skipSpace();
    }
    yield* reader.expect(`</${prefix}invoke>`);
    written.end();
    yield* reader.skipSpace();
  } while (yield* reader.tryText(`<${prefix}invoke name="`));
}

const STRING: ReadonlySet<JsonType> = new Set(["string"]);
const NO_STRING: ReadonlySet<JsonType> = new Set(["number", "boolean", "null", "object", "array"]);

/** @param text such as `k` or `k" string="true` */
function readAttributes(text: string): {
  readonly key: string;
  readonly types?: ReadonlySet<JsonType> | undefined;
} {
  const [key, string] = text.split(/"\s+string="/);
  if (key === undefined) throw new Nonsense("Expected a parameter's name.");
  return { key, types: string === undefined ? undefined : string === "true" ? STRING : NO_STRING };
}
