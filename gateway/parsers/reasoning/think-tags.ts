import { HeldSpace } from "../reading/held-space.ts";
import type { Step, TextReader } from "../reading/text-reader.ts";
import type { ReasoningFormat, TextSink } from "../types.ts";

export interface TagOptions {
  readonly name: string;
  matches: ReasoningFormat["matches"];
  readonly begin: string;
  readonly end: string;
  /** Whether an answer is taken to begin with reasoning if the prompt does not tell. */
  readonly isAlwaysInside?: boolean;
  /** Texts that end the reasoning without being part of the marker: the model forgot it, and began a call. */
  readonly breaks?: readonly string[];
}

/** Reasoning between two texts, at the beginning of the answer. Blanks around both are dropped. */
export function tagFormat({
  begin,
  end,
  isAlwaysInside = false,
  breaks = [],
  ...format
}: TagOptions): ReasoningFormat {
  return {
    ...format,
    end,
    controls: [begin, end],
    beginsInside(prompt) {
      const tail = prompt.trimEnd();
      if (tail.endsWith(begin)) return true;
      return isAlwaysInside && !tail.endsWith(end);
    },
    *read(reader, sink, isInside) {
      yield* readTagged(reader, sink, isInside);
    },
  };

  function* readTagged(reader: TextReader, sink: TextSink, isInside: boolean): Step<void> {
    reader.mark();
    yield* reader.skipSpace();
    // Some templates begin the reasoning in the prompt, and the model does so once more.
    if (!(yield* reader.tryText(begin)) && !isInside) {
      reader.rewind();
      return;
    }
    reader.forget();
    sink.reasoning("");
    const reasoning = new HeldSpace((text) => sink.reasoning(text), true);
    const marker = yield* reader.upTo([end, ...breaks], (text) => reasoning.push(text));
    if (marker === end) reader.skip(end.length);
    sink.text("");
    yield* reader.skipSpace();
  }
}
