import { isRecord, jsonOf } from "../../kernel/json.ts";
import type { CallSink } from "../types.ts";
import { readJson, readStringValue } from "./json.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

export interface PassOptions {
  /** The call's ID, if the model wrote one. */
  readonly id?: string | undefined;
  /** Texts after which there are no arguments. */
  readonly ends?: readonly string[];
}

/**
 * Passes on the arguments of a call, as they arrive.
 * @throws Nonsense if they are something else
 */
export function* passArguments(
  reader: TextReader,
  calls: CallSink,
  name: string,
  { id, ends = [] }: PassOptions = {},
): Step<void> {
  yield* reader.skipSpace();
  if ((yield* reader.peek()) !== "{") {
    const all = (yield* reader.following(ends)) ? "{}" : yield* collectArguments(reader);
    calls.begin(name, id);
    calls.arguments(all);
  } else {
    calls.begin(name, id);
    reader.startCopy((text) => calls.arguments(text));
    yield* readJson(reader);
    reader.stopCopy();
  }
  calls.end();
}

/**
 * Reads arguments: an object, an object within a string, or null.
 * @returns the object as JSON
 * @throws Nonsense if they are something else
 */
export function* collectArguments(reader: TextReader): Step<string> {
  const first = yield* reader.peek();
  if (first === '"') {
    const text = yield* readStringValue(reader);
    if (text.trim() === "") return "{}";
    if (!isRecord(jsonOf(text))) throw new Nonsense("The arguments are no object.");
    return text;
  }
  if (yield* reader.tryText("null")) return "{}";
  if (first !== "{") throw new Nonsense("The arguments are no object.");
  let json = "";
  reader.startCopy((text) => {
    json += text;
  });
  yield* readJson(reader);
  reader.stopCopy();
  return json;
}
