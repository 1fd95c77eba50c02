import type { CallSink } from "../types.ts";
import { readJson, readStringValue } from "./json.ts";
import { collectArguments, passArguments } from "./json-arguments.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/** How an object describes a call. */
export interface CallKeys {
  readonly name: readonly string[];
  readonly arguments: readonly string[];
  /** Other keys whose values have no meaning. After the arguments, no key has. */
  readonly ignored: readonly string[];
  /** Whether an object without arguments is no call. */
  readonly needsArguments?: boolean;
  /** Whether it may be a call. */
  accepts?(name: string): boolean;
}

/** The keys that most models use. */
export const USUAL_KEYS: CallKeys = {
  name: ["name", "function"],
  arguments: ["arguments", "parameters"],
  ignored: ["type", "id"],
};

/**
 * Reads an object that describes a call, such as `{"name": "f", "arguments": {…}}`, or
 * `{"type": "function", "function": {…}}` around it. If the last brace is missing, the object ends with the arguments.
 * @throws Nonsense if it is something else
 */
export function* readCallObject(
  reader: TextReader,
  calls: CallSink,
  keys: CallKeys = USUAL_KEYS,
): Step<void> {
  const state: CallState = { name: undefined, early: undefined, isPassed: false };
  yield* reader.skipSpace();
  yield* reader.expect("{");
  let next: string;
  do {
    yield* reader.skipSpace();
    const key = yield* readStringValue(reader);
    yield* reader.skipSpace();
    yield* reader.expect(":");
    yield* reader.skipSpace();
    yield* readMember(reader, calls, keys, key, state);
    yield* reader.skipSpace();
    next = yield* reader.peek();
    if (next === "," || next === "}") reader.skip();
    else if (!state.isPassed && state.early === undefined) throw new Nonsense("Expected } or a comma.");
  } while (next === ",");
  if (state.isPassed) {
    // What follows does not bring back the end of the object.
    reader.mark();
    return;
  }
  if (state.name === undefined) throw new Nonsense("The call names no function.");
  if (state.early === undefined && keys.needsArguments) throw new Nonsense("The call has no arguments.");
  calls.begin(state.name);
  calls.arguments(state.early ?? "{}");
  calls.end();
}

interface CallState {
  name: string | undefined;
  /** Arguments before the name. */
  early: string | undefined;
  /** Whether the call has been passed on. */
  isPassed: boolean;
}

function* readMember(
  reader: TextReader,
  calls: CallSink,
  keys: CallKeys,
  key: string,
  state: CallState,
): Step<void> {
  if (state.isPassed) yield* readJson(reader);
  else if (state.name === undefined && keys.name.includes(key)) {
    if (key !== "name" && (yield* reader.peek()) === "{") {
      yield* readCallObject(reader, calls, { ...keys, name: ["name"] });
      state.isPassed = true;
      return;
    }
    const name = yield* readStringValue(reader);
    if (name === "" || keys.accepts?.(name) === false) throw new Nonsense(`There is no function ${name}.`);
    state.name = name;
  } else if (state.early === undefined && keys.arguments.includes(key)) {
    if (state.name === undefined) state.early = yield* collectArguments(reader);
    else {
      yield* passArguments(reader, calls, state.name);
      state.isPassed = true;
    }
  } else if (state.early !== undefined || keys.ignored.includes(key)) yield* readJson(reader);
  else throw new Nonsense(`Unexpected key ${key}.`);
}

/**
 * Reads a list of objects that describe calls, or one such object.
 * @param isInList whether the bracket that begins the list has been read
 * @throws Nonsense if it is something else
 */
export function* readCallObjects(
  reader: TextReader,
  calls: CallSink,
  keys: CallKeys = USUAL_KEYS,
  isInList = false,
): Step<void> {
  yield* reader.skipSpace();
  if (!isInList && !(yield* reader.tryText("["))) {
    yield* readCallObject(reader, calls, keys);
    return;
  }
  do yield* readCallObject(reader, calls, keys);
  while (yield* nextInList(reader));
}

/** Reads what follows an item of a list. A list may lack its end. */
function* nextInList(reader: TextReader): Step<boolean> {
  yield* reader.skipSpace();
  if (yield* reader.tryText(",")) return true;
  yield* reader.tryText("]");
  return false;
}
