import { HeldSpace } from "../reading/held-space.ts";
import { Nonsense, type Step, type TextReader } from "../reading/text-reader.ts";
import type { CallFormat, CallSink, ReasoningContext, ReasoningFormat, TextSink } from "../types.ts";

export interface TagOptions {
  readonly name: string;
  matches: ReasoningFormat["matches"];
  /** Texts that begin reasoning. */
  readonly begins: readonly string[];
  /** Texts that end it. The first one is the usual one. */
  readonly ends: readonly [string, ...string[]];
  /** See `ReasoningFormat`. Default: all of the above. */
  readonly controls?: readonly string[];
  /** Whether an answer is taken to begin with reasoning if the prompt does not tell. */
  readonly isAlwaysInside?: boolean;
  /** Texts that may be around the rest of the answer. */
  readonly answer?: { readonly begin: string; readonly end: string };
}

/** Reasoning between two texts, at the beginning of the answer. Blanks around both are dropped. */
export function tagFormat(options: TagOptions): ReasoningFormat {
  const { name, begins, ends, isAlwaysInside = false } = options;
  return {
    name,
    matches: (hints) => options.matches(hints),
    begin: begins.length === 1 ? begins[0] : undefined,
    end: ends[0],
    controls: options.controls ?? [...begins, ...ends],
    beginsInside(prompt) {
      const tail = prompt.trimEnd();
      if (begins.some((begin) => tail.endsWith(begin))) return true;
      return isAlwaysInside && !ends.some((end) => tail.endsWith(end));
    },
    read: (reader, sink, context) => readTagged(reader, sink, context, options),
  };
}

function* readTagged(
  reader: TextReader,
  sink: TextSink,
  { isInside, calls }: ReasoningContext,
  { begins, ends, answer }: TagOptions,
): Step<void> {
  reader.mark();
  yield* reader.skipSpace();
  // Some templates begin the reasoning in the prompt, and the model does so once more.
  if (!(yield* tryOneOf(reader, begins)) && !isInside) {
    reader.rewind();
    reader.forget();
    return;
  }
  reader.forget();
  sink.reasoning("");
  const reasoning = new HeldSpace((text) => sink.reasoning(text), true);
  const tokens = calls?.format.begins.filter((begin) => calls.format.controls?.includes(begin)) ?? [];
  for (;;) {
    const marker = yield* reader.upTo([...ends, ...tokens], (text) => reasoning.push(text));
    if (marker === undefined) return;
    if (ends.includes(marker)) break;
    if (calls !== undefined && (yield* isCall(reader, marker, calls))) {
      // The model forgot to end its reasoning, or does so after the call.
      yield* reader.upTo(ends, (text) => sink.text(text));
      break;
    }
    reasoning.push(marker);
    reader.skip(marker.length);
  }
  yield* tryOneOf(reader, ends);
  sink.text("");
  yield* reader.skipSpace();
  if (answer === undefined || !(yield* reader.tryText(answer.begin))) return;
  const text = new HeldSpace((piece) => sink.text(piece), true);
  if ((yield* reader.past([answer.end], (piece) => text.push(piece))) === undefined) text.flush();
}

function* tryOneOf(reader: TextReader, texts: readonly string[]): Step<boolean> {
  for (const text of texts) if (yield* reader.tryText(text)) return true;
  return false;
}

/** Whether a marker begins a call, and is not just a word. It stays unread. */
function* isCall(reader: TextReader, begin: string, { format, tools }: CallFormat): Step<boolean> {
  let isCertain = false;
  const found = () => {
    isCertain = true;
  };
  const calls: CallSink = { begin: found, arguments: () => {}, end: () => {} };
  const steps = function* (): Step<void> {
    reader.skip(begin.length);
    yield* format.read(reader, calls, { tools, begin });
  };
  try {
    yield* reader.tryOut(steps(), () => isCertain);
  } catch (error) {
    if (!(error instanceof Nonsense)) throw error;
  }
  return isCertain;
}
